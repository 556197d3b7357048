"""The train step of cross-modal active contrastive coding."""

from typing import Any, Callable, NamedTuple, Optional

import tensorflow as tf

from actcl_tf import config
from actcl_tf.contrast import dictionary, gradient_embeddings, losses, momentum, negative_sampling
from actcl_tf.train.model import (
    accumulation,
    diagnosis,
    packed_logs,
    replicas,
    scalar_names,
    step_scalars,
)

MODALITIES = ("video", "audio")

# (query modality, key modality) of each direction of the loss.
_CROSS = (("video", "audio"), ("audio", "video"))
_WITHIN = (("video", "video"), ("audio", "audio"))
DIRECTIONS = {"cross_modal": _CROSS, "within_modal": _WITHIN, "joint": _CROSS + _WITHIN}


class Keys(NamedTuple):
    """Keys of one modality.

    Attributes:
      keys: [B, D] float32, unit vectors from the key encoder.
      features: [B, d] float32, inputs of the last linear layer that made them.
    """

    keys: tf.Tensor
    features: tf.Tensor


class Encoded(NamedTuple):
    """Clips whose keys are known.

    Attributes:
      ids: [B] int64, clip ids.
      labels: [B] int64, for diagnostics alone.
      keys: modality -> their keys.
    """

    ids: tf.Tensor
    labels: tf.Tensor
    keys: dict[str, Keys]


_KEY_TYPES = {modality: Keys(tf.float32, tf.float32) for modality in MODALITIES}
# Gradient with respect to queries -> gradient of the variables that made them.
Backpropagate = Callable[[dict[str, tf.Tensor]], list[tf.Tensor]]


def build_sampler(contrast: config.ContrastConfig) -> Optional[Any]:
    """The strategy that a run picks its negatives by; None where there is no pool."""
    return negative_sampling.build_sampler(
        contrast.negatives,
        contrast.temperature,
        contrast.gradient_space,
        method=contrast.seeding,
        first_pick=contrast.first_pick,
        chain_length=contrast.chain_length,
        num_shards=contrast.seeding_shards,
    )


class PretrainModel(packed_logs.PackedLogsModel):
    """Query and key towers of both modalities, their dictionaries and pools, and the train step.

    Attributes:
      query_towers: modality -> Tower trained by backpropagation (f).
      key_towers: modality -> Tower that follows by momentum (h); never sees a gradient.
      dictionaries: modality -> Dictionary of that modality's keys; empty for in_batch.
      shards_pools: whether each replica keeps another part of the pools.
      step: int64 variable, steps done.
      pool_epoch: int64 variable, the epoch that --pool=epoch drew the pools for; -1 before.
    """

    def __init__(
        self,
        query_towers: dict[str, tf.keras.Model],
        key_towers: dict[str, tf.keras.Model],
        contrast: config.ContrastConfig,
        *,
        batch_size: int,
        num_features: dict[str, int],
        embedding_size: int,
        total_steps: int,
        clip_norm: float = 0.0,
        diagnostics_every: int = 0,
        num_parts: int = 1,
        shuffles_keys: bool = False,
        augment: Callable[[dict], dict] = dict,
        seed: int = 0,
    ):
        """Joins towers that are already built; the key towers take over the queries' weights.

        Args:
          query_towers: "video" and "audio" towers.
          key_towers: two more of the same structure.
          contrast: where negatives come from, and what is contrasted.
          batch_size: M, clips a step over all replicas: keys picked a step.
          num_features: modality -> d, width of the last linear layer's input.
          embedding_size: D.
          total_steps: steps of the whole run, for the momentum's schedule.
          clip_norm: largest global gradient norm; 0 for no clipping.
          diagnostics_every: steps between figures of the dictionaries; 0 for none.
          num_parts: parts that each replica encodes its clips in; see `accumulation`.
          shuffles_keys: whether the key encoders see clips that are shuffled among replicas.
          augment: batch -> augmented batch, done first on the device.
          seed: seed of the sampling.
        """
        super().__init__(name="pretrain_model")
        self.distribute_reduction_method = "first"  # `fit` would add up what is the same on all.
        self._contrast = contrast
        self._batch_size = batch_size
        self._total_steps = total_steps
        self._clip_norm = clip_norm
        self._diagnostics_every = diagnostics_every
        self._num_parts = num_parts
        self._shuffles = shuffles_keys and tf.distribute.get_strategy().num_replicas_in_sync > 1
        self.augment = augment
        self._seed = seed
        self._directions = DIRECTIONS[contrast.contrast]
        self.query_towers = query_towers
        self.key_towers = key_towers
        for modality in MODALITIES:
            # The key towers stay `trainable`: Keras would freeze their batch normalisation, which
            # has to run on batch statistics. They get no gradient since no tape watches them.
            key_towers[modality].set_weights(query_towers[modality].get_weights())
        sampler = build_sampler(contrast)
        sharding, num_replicas = None, tf.distribute.get_strategy().num_replicas_in_sync
        if contrast.pool_sharding and contrast.uses_pool and num_replicas > 1:
            sharding = dictionary.Sharding(num_replicas, replicas.replica_id, replicas.gather)
        self.shards_pools = sharding is not None
        self.dictionaries = {}
        if contrast.uses_dictionary:
            self.dictionaries = {
                modality: dictionary.Dictionary(
                    contrast.dictionary_size,
                    embedding_size,
                    sampler=sampler,
                    pool_size=contrast.pool_size,
                    num_features=num_features[modality],
                    sharding=sharding,
                    name=f"{modality}_dictionary",
                )
                for modality in MODALITIES
            }
        self.step = replicas.counter(0, "step")
        self.pool_epoch = replicas.counter(-1, "pool_epoch")

    def compile(self, *args: Any, **options: Any) -> None:
        """As of Keras; with loss scaling, the steps that it skips are counted."""
        super().compile(*args, **options)
        if self._scales_loss:
            self.skipped_steps = replicas.counter(0, "skipped_steps")

    @property
    def query_variables(self) -> list[tf.Variable]:
        """What the optimizer trains: the trainable variables of both query towers."""
        return [v for m in MODALITIES for v in self.query_towers[m].trainable_variables]

    def call(self, batch: dict[str, tf.Tensor], training: Optional[bool] = None) -> dict:
        """Query embeddings, modality -> [B, D] float32 unit vectors."""
        seeds = batch.get("seed")
        return {
            modality: self.query_towers[modality](
                batch[modality], seeds=seeds, training=training
            ).embedding
            for modality in MODALITIES
        }

    # AutoGraph has nothing to convert here, and seconds to look for it.
    @tf.autograph.experimental.do_not_convert
    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One step of the method.

        Args:
          batch: this replica's clips: video uint8 [B, T, H, W, 3], audio float32 [B, S], clip_id
            int64 [B], label int64 [B] (for diagnostics alone), seed int32 [B, 2]; key_video and
            key_audio too where two views are used. B may differ between replicas and from step to
            step (a short last batch).

        Returns:
          Scalars of this step, float32, the same on every replica.
        """
        batch = self.augment(batch)
        ids, labels = replicas.gather(batch["clip_id"]), replicas.gather(batch["label"])
        keys, all_keys = self.encode_keys(batch)
        queries, backpropagate = self.encode_queries(batch)
        all_queries = {m: replicas.gather(queries[m]) for m in MODALITIES}
        sampling = self.sample_negatives(all_queries)
        with tf.GradientTape() as tape:
            tape.watch(queries)
            results = self.contrastive_losses(batch["clip_id"], queries, keys, ids, all_keys)
            loss = sum(result.loss for result in results.values())
            # Divided by the global batch, so that the sum over replicas is the mean.
            loss = tf.reduce_sum(loss) / tf.cast(tf.shape(ids)[0], tf.float32)
            loss = self._scale_loss(tf.debugging.check_numerics(loss, "loss"))
        figures = self.diagnose(ids, labels, all_queries, all_keys, sampling)
        gradients = backpropagate(tape.gradient(loss, queries))
        gradient_norm = self.update_query_encoders(gradients)
        key_momentum = self.update_key_encoders()
        own = Encoded(batch["clip_id"], batch["label"], keys)
        self.remember(own, Encoded(ids, labels, all_keys))
        with tf.control_dependencies([gradient_norm]):  # A step that fails does not count.
            self.step.assign_add(1)
        scalars = step_scalars.summarise(results, self.dictionaries, sampling, tf.shape(ids)[0])
        scalars.update(figures)
        scalars[scalar_names.GRADIENT_NORM] = gradient_norm
        scalars[scalar_names.KEY_MOMENTUM] = key_momentum
        if self._scales_loss:
            scalars[scalar_names.LOSS_SCALE] = tf.cast(self.optimizer.loss_scale, tf.float32)
            skipped = self.skipped_steps.read_value()
            scalars[scalar_names.SKIPPED_STEPS] = tf.cast(skipped, tf.float32)
        if "data_wait" in batch:
            scalars["data_wait"] = tf.reduce_mean(batch["data_wait"])
        return scalars

    def encode_keys(self, batch: dict[str, tf.Tensor]) -> tuple[dict[str, Keys], dict[str, Keys]]:
        """Step 1, keys: the key encoders, on view 2 where there is one.

        On statistics of the batch, or on moving ones, with which a key carries no trace of the
        batch that it shares with its query; then the spectrogram is not masked either.

        Returns:
          Modality -> keys of this replica's clips, and modality -> keys of the global batch.
        """
        inputs = {m: batch.get(f"key_{m}", batch[m]) for m in MODALITIES}
        inputs["seed"] = batch["seed"] + 1
        if not self._shuffles:
            keys = self._in_parts(self._encode_keys, inputs, _KEY_TYPES)
            return keys, {m: Keys(*map(replicas.gather, keys[m])) for m in MODALITIES}
        step = tf.cast(self.step.read_value(), tf.int32)
        seed = tf.random.experimental.stateless_fold_in([self._seed, step], 1)
        order = replicas.shuffle(batch["clip_id"], seed)
        inputs = {name: order.mine(values) for name, values in inputs.items()}
        keys = self._in_parts(self._encode_keys, inputs, _KEY_TYPES)
        everyone = {m: Keys(*map(order.restore, keys[m])) for m in MODALITIES}
        own = slice(order.start, order.start + order.size)
        return {m: Keys(*(each[own] for each in everyone[m])) for m in MODALITIES}, everyone

    def _encode_keys(self, inputs: dict[str, tf.Tensor]) -> dict[str, Keys]:
        keys = {}
        on_batch = self._contrast.key_statistics == "batch"
        for modality in MODALITIES:
            output = self.key_towers[modality](
                inputs[modality], seeds=inputs["seed"], training=on_batch
            )
            embedding = tf.debugging.check_numerics(output.embedding, f"{modality} keys")
            keys[modality] = Keys(tf.stop_gradient(embedding), tf.stop_gradient(output.hidden))
        return keys

    def encode_queries(
        self, batch: dict[str, tf.Tensor]
    ) -> tuple[dict[str, tf.Tensor], Backpropagate]:
        """Step 1, queries: the query encoders.

        Returns:
          Modality -> [B, D], and a function that leads a gradient with respect to them back to
          `query_variables`.
        """
        inputs = {name: batch[name] for name in (*MODALITIES, "seed")}
        if self._num_parts == 1:
            with tf.GradientTape() as tape:
                queries = self._encode_queries(inputs)

            def backpropagate(gradient: dict[str, tf.Tensor]) -> list[tf.Tensor]:
                return tape.gradient(queries, self.query_variables, output_gradients=gradient)

            return queries, backpropagate

        # Each part passes twice, and its statistics are to count once.
        statistics = [v for m in MODALITIES for v in self.query_towers[m].non_trainable_variables]
        before = [variable.read_value() for variable in statistics]
        types = dict.fromkeys(MODALITIES, tf.float32)
        queries = self._in_parts(self._encode_queries, inputs, types)
        for variable, value in zip(statistics, before):
            variable.assign(value)

        def backpropagate_in_parts(gradient: dict[str, tf.Tensor]) -> list[tf.Tensor]:
            return accumulation.gradients(
                self._encode_queries, inputs, gradient, self.query_variables, self._num_parts
            )

        return queries, backpropagate_in_parts

    def _encode_queries(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        queries = self(inputs, training=True)
        return {m: tf.debugging.check_numerics(queries[m], f"{m} queries") for m in MODALITIES}

    def _in_parts(self, function: Callable, inputs: dict[str, tf.Tensor], dtypes: Any) -> Any:
        if self._num_parts == 1:
            return function(inputs)
        return accumulation.encode(function, inputs, self._num_parts, dtypes)

    def sample_negatives(self, queries: dict[str, tf.Tensor]) -> dict[str, diagnosis.Sampling]:
        """Steps 2 and 3: picks keys out of the pools into the dictionaries.

        Args:
          queries: modality -> [M, D], of the global batch.

        Returns:
          Modality -> what its dictionary took in and why; empty where there is no pool.
        """
        sampling = {}
        if not self._contrast.uses_pool:
            return sampling
        towers = {"key": self.key_towers, "query": self.query_towers}
        towers = towers[self._contrast.gradient_encoder]
        step = tf.cast(self.step.read_value(), tf.int32)
        served = {key: query for query, key in reversed(self._directions)}
        for index, modality in enumerate(MODALITIES):
            kernel, *affine = towers[modality].head.last_layer_affine()
            # Each replica has moving statistics of its own; picks need the same ones.
            layer = gradient_embeddings.LastLayer(kernel, *replicas.mean_over(affine))
            seed = tf.random.experimental.stateless_fold_in([self._seed, 2 * step + index], 0)
            sampled = self.dictionaries[modality].sample(
                queries[served[modality]], layer, self._batch_size, seed
            )
            sampling[modality] = diagnosis.Sampling(sampled, layer, queries[served[modality]])
        return sampling

    def contrastive_losses(
        self,
        query_ids: tf.Tensor,
        queries: dict[str, tf.Tensor],
        keys: dict[str, Keys],
        batch_ids: tf.Tensor,
        batch_keys: dict[str, Keys],
    ) -> dict[str, losses.InfoNCE]:
        """Step 4: InfoNCE in each direction, against the dictionary or the global batch.

        Args:
          query_ids: [B] int64, this replica's clips.
          queries: modality -> [B, D].
          keys: modality -> this replica's keys.
          batch_ids: [M] int64, clips of the global batch.
          batch_keys: modality -> keys of the global batch.

        Returns:
          "video_to_audio" and so on -> InfoNCE of this replica's queries.
        """
        results = {}
        for query, key in self._directions:
            if self._contrast.uses_dictionary:
                queue = self.dictionaries[key].queue
                negatives, ids = queue.columns["keys"].read_value(), queue.ids.read_value()
            else:
                negatives, ids = batch_keys[key].keys, batch_ids
            results[f"{query}_to_{key}"] = losses.info_nce(
                queries[query],
                keys[key].keys,
                negatives,
                losses.negative_mask(query_ids, ids),
                self._contrast.temperature,
            )
        return results

    def update_query_encoders(self, gradients: list[tf.Tensor]) -> tf.Tensor:
        """Step 5: the optimizer's step.

        Args:
          gradients: of this replica's part of the loss, for each of `query_variables`.

        Returns:
          The global norm of the whole gradient.
        """
        variables = self.query_variables
        if self._scales_loss:
            gradients = self.optimizer.get_unscaled_gradients(gradients)
        gradients = replicas.sum_over(gradients)
        norm = tf.linalg.global_norm(gradients)
        # A scaled loss may overflow: such a step is skipped and the scale halved, down to 1.
        may_overflow = self._scales_loss and self.optimizer.loss_scale > 1.0
        checked = tf.debugging.check_numerics(tf.where(may_overflow, 0.0, norm), "gradient")
        if self._scales_loss:
            is_skipped = tf.logical_not(tf.math.is_finite(norm))
            self.skipped_steps.assign_add(tf.cast(is_skipped, self.skipped_steps.dtype))
        with tf.control_dependencies([checked]):
            if self._clip_norm:
                gradients, _ = tf.clip_by_global_norm(gradients, self._clip_norm, use_norm=norm)
            gradients = [tf.identity(gradient) for gradient in gradients]
        # Already summed over replicas; each kind of optimizer has its own word for that.
        if isinstance(self.optimizer, tf.keras.optimizers.legacy.Optimizer):
            already_summed = {"experimental_aggregate_gradients": False}
        else:
            already_summed = {"skip_gradients_aggregation": True}
        self.optimizer.apply_gradients(zip(gradients, variables), **already_summed)
        return norm

    @property
    def _scales_loss(self) -> bool:
        """Whether the optimizer scales the loss, as mixed_float16 needs."""
        return hasattr(self.optimizer, "get_scaled_loss")

    def _scale_loss(self, loss: tf.Tensor) -> tf.Tensor:
        return self.optimizer.get_scaled_loss(loss) if self._scales_loss else loss

    def update_key_encoders(self) -> tf.Tensor:
        """Step 5: the momentum update of the key encoders; returns the momentum."""
        value = momentum.momentum_at(
            self.step.read_value(),
            self._contrast.key_momentum,
            self._contrast.key_momentum_schedule,
            self._total_steps,
        )
        for modality in MODALITIES:
            key, query = self.key_towers[modality], self.query_towers[modality]
            momentum.update_key_encoder(key.trainable_variables, query.trainable_variables, value)
            if self._contrast.key_statistics == "moving":
                momentum.update_key_statistics(
                    key.non_trainable_variables, query.non_trainable_variables, value
                )
        return value

    def diagnose(
        self,
        ids: tf.Tensor,
        labels: tf.Tensor,
        queries: dict[str, tf.Tensor],
        keys: dict[str, Keys],
        sampling: dict[str, diagnosis.Sampling],
    ) -> dict[str, tf.Tensor]:
        """Figures of the dictionaries as this step uses them; NaN at steps whose turn it is not."""
        every = self._diagnostics_every
        if not every:
            return {}
        batch = diagnosis.Batch(ids, labels, queries, {m: keys[m].keys for m in MODALITIES})

        def figures() -> dict[str, tf.Tensor]:
            return diagnosis.diagnose(
                self.dictionaries,
                sampling,
                batch,
                self._directions,
                temperature=self._contrast.temperature,
                gradient_space=self._contrast.gradient_space,
                step=self.step.read_value(),
            )

        names = diagnosis.names(self.dictionaries, sampling, self._directions)
        due = (self.step.read_value() + 1) % every == 0
        return tf.cond(due, figures, lambda: {name: tf.constant(float("nan")) for name in names})

    def remember(self, own: Encoded, everyone: Encoded) -> None:
        """Step 5: the batch's keys enter the pools (moco: the dictionaries), after sampling.

        Args:
          own: this replica's clips, which are all that its part of a sharded pool takes in.
          everyone: the global batch.
        """
        if self._contrast.uses_pool and self._contrast.pool == "epoch":
            return  # The pool is redrawn at the start of every epoch instead.
        self._remember(own, everyone)

    @tf.autograph.experimental.do_not_convert
    def fill_pools_step(self, batch: dict[str, tf.Tensor]) -> None:
        """Encodes a batch with the key encoders into the pools and trains nothing."""
        batch = self.augment(batch)
        keys, all_keys = self.encode_keys(batch)
        own = Encoded(batch["clip_id"], batch["label"], keys)
        ids, labels = replicas.gather(own.ids), replicas.gather(own.labels)
        self._remember(own, Encoded(ids, labels, all_keys))

    def _remember(self, own: Encoded, everyone: Encoded) -> None:
        ids, labels, keys = own if self.shards_pools else everyone
        born = tf.fill(tf.shape(ids), self.step.read_value())
        for modality, target in self.dictionaries.items():
            batch = dictionary.KeyBatch(ids, *keys[modality], labels, born)
            target.remember(batch, everyone.ids if self.shards_pools else None)

    def pool_parts(self) -> dict[str, tf.train.Checkpoint]:
        """Sharded pools, for a checkpoint: "video_0" and so on -> the part of that replica."""
        strategy, parts = tf.distribute.get_strategy(), {}
        if not self.shards_pools:
            return parts
        for modality, target in self.dictionaries.items():
            pool = target.pool
            variables = {"ids": pool.ids, "pointer": pool.pointer, **pool.columns}
            copies = {n: strategy.experimental_local_results(v) for n, v in variables.items()}
            for replica in range(strategy.num_replicas_in_sync):
                part = {name: each[replica] for name, each in copies.items()}
                parts[f"{modality}_{replica}"] = tf.train.Checkpoint(**part)
        return parts
