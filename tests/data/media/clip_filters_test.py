import dataclasses
import io
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from actcl_tf.data.media import clip_cutting, clip_filters
from actcl_tf.data.media.clip_cutting import MediaClip
from actcl_tf.data.media.containers import media
from tests import media_reading
from tests.media_files import grey, tone, write_clip, write_media

OPTIONS = media_reading.OPTIONS._replace(frame_rate=12.5, jpeg_quality=90, silence_db=None)


def read_one(path, **changes):
    (clip,) = clip_cutting.read_clips(path, OPTIONS._replace(**changes))
    return clip


def clip_of(images):
    frames = []
    for image in images:
        frames.append(io.BytesIO())
        Image.fromarray(np.asarray(image, np.uint8)).save(frames[-1], "JPEG", quality=90)
    return MediaClip(0.0, 1.0, [frame.getvalue() for frame in frames], None, *images[0].shape[:2])


def scene(rng, size=(96, 128)):
    """A picture with structure at every scale."""
    image = sum(
        np.kron(rng.uniform(-1, 1, (4 * 2**k, 4 * 2**k)), np.ones((128 // 2**k, 128 // 2**k)))
        / 2**k
        for k in range(4)
    )
    image = np.asarray(Image.fromarray(image.astype(np.float32)).resize(size[::-1]))
    return np.repeat((120 + 50 * image)[..., None].clip(0, 255), 3, axis=2).astype(np.uint8)


def with_square(image, x, side=12, level=255):
    image = image.copy()
    image[40 : 40 + side, x : x + side] = level
    return image


def test_filters_have_reasons_and_help():
    assert tuple(clip_filters.FILTERS) == ("silent", "still", "dark", "duplicate")
    assert set(clip_filters.FILTERS) <= set(media.REASONS)
    assert {"timeout", "crashed"} <= set(media.REASONS)
    assert all("\n" not in text for text in clip_filters.FILTERS.values())


BOTH = ("still", "dark")


@pytest.mark.parametrize(
    "filters, kind, expected",
    [
        (BOTH, "one picture", "still"),
        (("dark", "duplicate", "silent"), "one picture", None),
        (BOTH, "one frame", "still"),
        (BOTH, "black", "dark"),
        (("still",), "black", "still"),
        ((), "black", None),
        (BOTH, "dim", "dark"),
        (BOTH, "a light at the end", None),
        (BOTH, "a square that moves", None),
        (BOTH, "a fade", None),
        (BOTH, "a cut", None),
        (BOTH, "a zoom", None),
        (BOTH, "no picture", None),
    ],
)
def test_fault(rng, filters, kind, expected):
    picture = scene(rng)
    frames = {
        "one picture": [picture] * 20,
        "one frame": [picture],
        "black": [grey(0)] * 20,
        "dim": [grey(8 + i % 10) for i in range(20)],
        "a light at the end": [grey(5)] * 15 + [grey(120)] * 5,
        "a square that moves": [with_square(picture, 4 * i) for i in range(20)],
        "a fade": [picture // 20 * (10 + i // 2) for i in range(20)],
        "a cut": [picture] * 10 + [scene(rng)] * 10,
        "a zoom": [
            np.asarray(Image.fromarray(picture).resize((128, 96), box=(i, i, 128 - i, 96 - i)))
            for i in range(20)
        ],
        "no picture": [],
    }[kind]
    clip = clip_of(frames) if frames else MediaClip(0.0, 1.0, [], tone(1), 0, 0)
    assert clip_filters.fault(clip, filters) == expected


@pytest.mark.parametrize("crf", ["18", "30", "40"])
@pytest.mark.parametrize("noise", [0, 2, 4])
def test_a_still_picture_is_still_after_noise_and_compression(tmp_path, rng, crf, noise):
    picture = scene(rng).astype(float)
    frames = [(picture + rng.normal(0, noise, picture.shape)).clip(0, 255) for _ in range(50)]
    path = tmp_path / "a.mkv"
    write_video(path, [frame.astype(np.uint8) for frame in frames], tone(2), crf=crf)
    assert clip_filters.fault(read_one(path), ("still",)) == "still"


def test_people_who_speak_are_neither_still_nor_dark(shared_data):
    for path in sorted((shared_data / "grid").glob("*.mp4"))[:40]:
        assert clip_filters.fault(read_one(path), BOTH) is None, path


# Fingerprints


def write_video(path, frames, sound, *, crf="25", sample_rate=16000, frame_rate=25, codec="aac"):
    """Writes frames and a sound at an ordinary quality."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=frame_rate)
        stream.height, stream.width = (side // 2 * 2 for side in frames[0].shape[:2])
        stream.pix_fmt, stream.options = "yuv420p", {"crf": crf, "preset": "veryfast"}
        audio = container.add_stream(codec, rate=48000 if codec == "libopus" else sample_rate)
        audio.layout, audio.codec_context.bit_rate = "mono", 32000
        packets = []
        for index, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image).reformat(
                stream.width, stream.height, "yuv420p"
            )
            frame.pts, frame.time_base = index, Fraction(1, frame_rate)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        frame = av.AudioFrame.from_ndarray(sound[None], "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = sample_rate, 0, Fraction(1, sample_rate)
        resampler = av.AudioResampler(audio.format, "mono", audio.rate)
        for piece in resampler.resample(frame) + resampler.resample(None):
            packets += audio.encode(piece)
        packets += audio.encode(None)
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            container.mux(packet)
    return path


def copy_of(source, path, scale, crf, codec):
    """Re-encodes and rescales a video."""
    with av.open(str(source)) as container:
        frame_rate = round(float(container.streams.video[0].average_rate))
        frames = [frame.to_image() for frame in container.decode(video=0)]
    size = [round(side * scale) for side in frames[0].size]
    sound = read_one(source, streams="audio").waveform
    images = [np.asarray(image.resize(size)) for image in frames]
    return write_video(path, images, sound, crf=crf, frame_rate=frame_rate, codec=codec)


COPIES = [
    ("a.mp4", 0.75, "32", "aac"),
    ("a.mkv", 0.5, "36", "libopus"),
    ("b.mp4", 1.5, "28", "aac"),
]


def test_sentences_of_one_speaker_are_told_apart_and_copies_found(shared_data, tmp_path):
    paths = sorted((shared_data / "grid").glob("*.mp4"))[:100]
    marks = [clip_filters.fingerprint(read_one(path)) for path in paths]
    assert clip_filters.find_duplicates(marks) == [None] * 100
    chosen = [3, 17, 40, 41, 77, 99]
    for index, place in enumerate(chosen):
        name, *how = COPIES[index % len(COPIES)]
        clip = read_one(copy_of(paths[place], tmp_path / name, *how))
        marks.append(clip_filters.fingerprint(clip))
    assert clip_filters.find_duplicates(marks)[100:] == chosen
    # By sound alone, too.
    heard = [mark._replace(look=None, light=None, motion=None) for mark in marks]
    assert clip_filters.find_duplicates(heard) == [None] * 100 + chosen


def test_pictures_alone(shared_data, tmp_path):
    """Real motion tells clips apart and survives re-encoding."""
    source = shared_data / "videos" / "with_sound" / "mdn_elf.webm"
    copy = copy_of(source, tmp_path / "a.mkv", 0.6, "28", "libopus")
    marks = [
        clip_filters.fingerprint(clip)
        for path in (source, copy)
        for clip in clip_cutting.read_clips(
            path, OPTIONS._replace(clip_seconds=2.0, min_seconds=2.0, streams="video")
        )
    ]
    num = len(marks) // 2
    assert num == 4
    assert clip_filters.find_duplicates(marks) == [None] * num + list(range(num))


def moving(rng, picture, num=50):
    """A bright square on a random walk."""
    at = np.clip(np.cumsum(rng.integers(-9, 10, num)) + 50, 0, 115)
    return [with_square(picture, x) for x in at]


def melody(rng, seconds=2.0):
    notes = [tone(seconds / 8, frequency=hertz) for hertz in rng.uniform(150, 3500, 8)]
    return np.concatenate(notes)


def test_neither_the_same_picture_nor_the_same_sound_alone_makes_a_duplicate(tmp_path, rng):
    pictures = [moving(rng, scene(rng)) for _ in range(2)]
    sounds = [melody(rng) for _ in range(2)]
    marks = []
    for picture in pictures:
        for sound in sounds:
            path = write_media(tmp_path / f"{len(marks)}.mp4", frames=picture, sounds=[sound])
            marks.append(clip_filters.fingerprint(read_one(path)))
    assert clip_filters.find_duplicates(marks) == [None] * 4
    again = write_video(tmp_path / "a.mkv", pictures[1], sounds[0], crf="30", codec="libopus")
    marks.append(clip_filters.fingerprint(read_one(again)))
    assert clip_filters.find_duplicates(marks) == [None] * 4 + [2]


def test_plain_pictures_are_told_apart_by_their_light(tmp_path, rng):
    marks, sound = [], melody(rng)
    for levels in ((20, 60), (70, 60), (90, 60), (20, 60)):
        path = write_clip(tmp_path / "a.mp4", 2.0, levels=levels, sounds=[sound])
        marks.append(clip_filters.fingerprint(read_one(path)))
    again = [grey((20, 60)[i % 2]) for i in range(50)]
    path = write_video(tmp_path / "b.mkv", again, sound, crf="35", codec="libopus")
    marks.append(clip_filters.fingerprint(read_one(path)))
    assert clip_filters.find_duplicates(marks) == [None, None, None, 0, 0]


def test_steady_sounds_are_told_apart_by_their_pitch_and_by_what_moves(tmp_path, rng):
    picture = scene(rng)
    walks = [moving(rng, picture), moving(rng, picture)]
    kinds = [(0, 300), (0, 1200), (1, 300), (0, 300)]
    marks = []
    for index, (walk, hertz) in enumerate(kinds):
        path = tmp_path / f"{index}.mov"
        sound = tone(2, frequency=hertz)
        write_media(path, frames=walks[walk], sounds=[sound], sound_codec="pcm_s16le")
        marks.append(clip_filters.fingerprint(read_one(path)))
    assert all(mark.motion is not None for mark in marks)
    assert clip_filters.find_duplicates(marks) == [None, None, None, 0]


@pytest.mark.parametrize("samples", [1, 100, 700, 16000])
def test_fingerprints_of_the_shortest_clips(samples):
    clip = clip_of([grey(90)])
    clip = dataclasses.replace(clip, waveform=tone(1)[:samples], end=samples / 16000)
    mark = clip_filters.fingerprint(clip)
    assert clip_filters.find_duplicates([mark, mark]) == [None, 0]


def test_fingerprints_do_not_depend_on_loudness(rng):
    sound = melody(rng)
    marks = [
        clip_filters.fingerprint(MediaClip(0.0, 2.0, [], gain * sound, 0, 0)) for gain in (1.0, 0.1)
    ]
    assert clip_filters.find_duplicates(marks) == [None, 0]
    assert marks[0].look is None and marks[0].motion is None
