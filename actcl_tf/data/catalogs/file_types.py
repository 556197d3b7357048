"""What a file is by its name: video, audio, something to open and see, or none of our business.

FFmpeg says which endings its formats have. It does not say which of them hold moving pictures, and
some are also those of text or of anything at all, so that these are named here.
"""

import functools
import posixpath
import re

import av

VIDEO, AUDIO, UNSURE = "video", "audio", "unsure"


def _endings(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What FFmpeg reads and has no ending for, or names where it writes alone.
_MORE_VIDEO = _endings(
    """
    3gpp 3gpp2 amv asf av1 avi bik divx drc dvr-ms evo f4p flc fli gifv gxf insv ivf lrv m1v m2p
    m2t m2ts m2v m4p mjp mod moov mp4v mpe mpeg mpeg2 mpeg4 mpg mpg4 mpv mqv mts mxf nsv nuv ogm
    ogv ogx qt r3d rm rmvb roq smk ssif tod tp trp ts vcd vob vro wm wmv wtv xvid
    """
)
_AUDIO = _endings(
    """
    302 3ga 722 aa aa3 aac aax ac3 ac4 acm adp ads adts adx aea afc aif aifc aiff aix al amr
    apc ape apl aptx aptxhd ast au avr bcstm bfstm binka bonk brstm c2 caf daud dff dfpwm
    dsf dss dtk dts dtshd eac3 ec3 f4a f4b flac fsb fwse g722 g723_1 g728 g729 genh gsm hca
    iamf ircam isma latm lc3 loas m2a m3a m4a m4b mac mca mka mlp mp1 mp2 mp3 mpa mpc msbc
    msf mtaf musx nist oga ogg oma omg opus osq paf pvf qcp qoa ra rka rsd rso sb sbc sdns
    sds sdx sf shn sln snd son sox sph spx ss2 svag sw tak thd tta ub ul uw vag voc vpk vqe
    vqf vql w64 wa wav way weba wma wsd wv xmd xvag
    """
)
_IMAGES = _endings(
    """
    apng avif bmp cr2 dng exr gif heic heif ico j2k jp2 jpeg jpg jxl mpo nef pam pbm pcx pgm
    png pnm ppm psd raw svg tga tif tiff webp
    """
)
_SUBTITLES = _endings(
    """
    aqt ass cdg idx jss lrc mcc mks mpl2 pjs rt sami sbv scc smi srt ssa stl sub sup ttml
    vtt webvtt
    """
)
# FFmpeg's formats of text and of data without a header, and endings that others use far more.
_NO_MEDIA = _endings(
    """
    adf ans art asc bit bitpacked cdata cdxl cgi cif diz fap ice idf imx ism laf lvf nfo nsp
    obu qcif rco rcv rgb sbg ser sga svs tco txt v v210 vb vt xl yop yuv yuv10
    """
)
# Of anything at all, videos among it (such as those of video discs): the file itself tells, as it
# does where a number follows the dot.
_UNSURE = _endings("anim bin blob cmfv dat file film iff m4s mve rec str swf tivo tmp ty vid")
_UNSURE |= {""}

HIDDEN, SYSTEM, SYSTEM_FILES = "hidden", "system folder", "system file"
UNFINISHED, PIECES = "unfinished download", "part of a download (.f137 and the like)"
_UNFINISHED = re.compile(
    r"\.(part|partial|ytdl|crdownload|download|opdownload|aria2|!ut|!qb|bc!|td|xltd|filepart)"
    r"(-frag\d+(\.part)?)?$|\.(temp|part|tmp)\.\w{1,5}$|\.(mp4|webm|mkv|mov|avi)\.tmp$",
    re.IGNORECASE,
)
_PIECES = re.compile(
    r"\.f(\d{2,3}(-\w+)?|(hls|dash|https?|mpd|m3u8|rtmp)[-_][\w-]+)\.\w{2,5}$", re.IGNORECASE
)
_SYSTEM_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
_SYSTEM_FOLDERS = frozenset(
    {
        *("$recycle.bin", "recycler", "recycled", "system volume information", "$winreagent"),
        *("$windows.~bt", "$windows.~ws", "$sysreset", "$extend", "config.msi", "msocache"),
        *("lost+found", "@eadir", "#recycle", "#snapshot", "~snapshot", "@recycle", "@tmp"),
        *("@recently-snapshot", "@sharebin", "@sharesnap", "#sharesnap", "lost.dir", "_gsdata_"),
        *("__macosx", "network trash folder", "temporary items", "__pycache__", "node_modules"),
    }
)
_SYSTEM_DOTS = re.compile(
    r"\.(trash(es)?(-\d+)?|appledouble|appledb|appledesktop|spotlight-v100|fseventsd|"
    r"documentrevisions-v100|temporaryitems|ds_store|ipynb_checkpoints|@__thumb)$",
    re.IGNORECASE,
)


@functools.cache
def _video() -> frozenset[str]:
    known: set[str] = set()
    for name in av.formats_available:
        try:
            known |= av.ContainerFormat(name, "r").extensions
        except ValueError:  # It is written only.
            continue
    return frozenset((known | _MORE_VIDEO) - _AUDIO - _IMAGES - _SUBTITLES - _NO_MEDIA - _UNSURE)


def ending_of(name: str) -> str:
    """The ending of a file's name, in lower case without the dot; empty if it has none.

    What follows the last dot of a sentence, as in "No. 5 live", is none.
    """
    ending = posixpath.splitext(name)[1][1:].lower()
    return ending if re.fullmatch(r"[^\s.]{1,10}", ending) else ""


def kind_of(name: str) -> str:
    """VIDEO, AUDIO or UNSURE for what may be media; else what to call such files, in a word or two.

    Args:
      name: of the file, without its folder.
    """
    if _SYSTEM_DOTS.match(name) or name.lower() in _SYSTEM_FILES or name.startswith("._"):
        return SYSTEM_FILES
    if name.startswith("."):
        return HIDDEN
    if _UNFINISHED.search(name) or name.endswith("~"):
        return UNFINISHED
    ending = ending_of(name)
    if ending in _video() or ending in _AUDIO:
        if _PIECES.search(name):
            return PIECES
        return AUDIO if ending in _AUDIO else VIDEO
    return UNSURE if ending in _UNSURE or ending.isdecimal() else f".{ending}"


def folder_kind(name: str) -> str | None:
    """What to call a folder that holds nothing of the user's; None for all others."""
    known = name.lower() in _SYSTEM_FOLDERS or re.fullmatch(r"found\.\d{3}", name, re.IGNORECASE)
    if known or _SYSTEM_DOTS.match(name):
        return SYSTEM
    return f"{HIDDEN} folder" if name.startswith(".") else None


def is_audio(name: str) -> bool:
    """Whether a file is an audio file by its name."""
    return ending_of(name) in _AUDIO
