"""Why a video, or a part of it, gives no clip."""

REASONS = {
    "missing": "the file is not there or cannot be read",
    "unlisted": "the folder cannot be listed, so that nothing in it was taken",
    "empty": "the file has no bytes",
    "damaged": "it cannot be decoded, or decodes with errors",
    "discontinuity": "time stamps start anew or jump, or other streams begin; no clip goes across",
    "no_video": "it has no moving video",
    "no_audio": "it has no audio, or the audio stops for a while",
    "uneven_audio": "the time stamps of its audio do not fit the samples",
    "silent": "the audio is digital silence",
    "near_silent": "no part of the audio is as loud as --silence_db",
    "too_short": "what can be used of it lasts less than --min_seconds",
    "still": "the video does not change",
    "dark": "the video is nearly black throughout",
    "duplicate": "another clip has the same video and audio",
    "timeout": "decoding took longer than --clip_timeout",
    "crashed": "the decoder's process died on it",
}


class MediaError(Exception):
    """A video that gives no clip at all; `reason` is a key of REASONS."""

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(message or REASONS[reason])
        self.reason = reason
