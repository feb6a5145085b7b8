"""A Kaldi model of two kilobytes, made here, as Vosk loads it: whatever it hears, it writes the same word.

Kaldi reads its objects as text, too; graphs are OpenFst's binary ``vector`` format (www.openfst.org, ``fst/fst.h``: ``FstHeader``).
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

TEXT = "go"
_COEFFICIENTS = 13
_SOUND, _STAYS, _GOES = 2, 3, 4
"""A phone, and its transitions: to itself and on."""


def make_vosk(folder: Path) -> Path:
    """The model's folder."""
    for name, text in {
        "am/final.mdl": _transitions() + _network(),
        "conf/mfcc.conf": "--use-energy=false\n",
        "conf/model.conf": "--endpoint.silence-phones=1\n",
        "graph/words.txt": f"<eps> 0\n{TEXT} 1\n",
    }.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (folder / "graph" / "HCLG.fst").write_bytes(_graph())
    return folder


def _transitions() -> str:
    """Two phones of one state each: silence and a sound."""
    half = math.log(0.5)
    return (
        "<TransitionModel> <Topology> <TopologyEntry> <ForPhones> 1 2 </ForPhones> "
        "<State> 0 <PdfClass> 0 <Transition> 0 0.5 <Transition> 1 0.5 </State> <State> 1 </State> "
        "</TopologyEntry> </Topology> <Triples> 2 1 0 0 2 0 1 </Triples> "
        f"<LogProbs> [ 0 {half} {half} {half} {half} ] </LogProbs> </TransitionModel> "
    )


def _network() -> str:
    """It takes every frame for the sound."""
    row = " ".join(["0"] * _COEFFICIENTS)
    return (
        f"<Nnet3> \ninput-node name=input dim={_COEFFICIENTS}\ncomponent-node name=out component=out input=input\n"
        "output-node name=output input=out objective=linear\n\n<NumComponents> 1 <ComponentName> out "
        f"<FixedAffineComponent> <LinearParams> [\n {row}\n {row} ]\n <BiasParams> [ -9 0 ]\n </FixedAffineComponent> "
        "</Nnet3> <LeftContext> 0 <RightContext> 0 <Priors> [ ]\n"
    )


def _graph() -> bytes:
    """The word with the first frame, and the same sound as long as it lasts."""
    magic, version, expanded_mutable = 2125659606, 2, 3
    header = struct.pack("<i", magic)
    for name in (b"vector", b"standard"):
        header += struct.pack("<i", len(name)) + name
    header += struct.pack("<iiQqqq", version, 0, expanded_mutable, 0, 2, 2)
    first = struct.pack("<fq", math.inf, 1) + struct.pack("<iifi", _GOES, 1, 0.0, 1)
    rest = struct.pack("<fq", 0.0, 1) + struct.pack("<iifi", _STAYS, 0, 0.0, 1)
    return header + first + rest
