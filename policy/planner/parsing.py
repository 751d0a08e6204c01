"""Models' replies -> verdicts, instructions and lists of objects. Pure; unclear replies raise, never mean yes."""

import re
from typing import Any

from policy.planner.interface import Understanding, UnreadableReply
from policy.planner.replies import Reply, entries, read_reply

VERDICT_KEYS = (
    *("verdict", "answer", "final_answer", "final_verdict", "result", "decision", "conclusion", "success", "succeeded"),
    *("completed", "complete", "done", "grasped", "held", "holding", "secured", "removed", "gone", "value"),
    *("判断", "结论", "结果", "答案", "完成", "成功"),
)
INSTRUCTION_KEYS = (
    "instruction",
    "grasping_instruction",
    "next_instruction",
    "command",
    "proposal",
    "sentence",
    "指令",
)
KIND_KEYS = ("type", "kind", "class", "category", "prompt_type", "类型")
OBJECT_KEYS = ("objects", "targets", "items", "list", "target", "物体")
TRUE_WORDS = {"true", "yes", "correct", "是", "是的", "对", "真", "正确", "成功", "已完成", "完成", "sí", "oui", "ja"}
FALSE_WORDS = {"false", "no", "incorrect", "否", "不", "不是", "没有", "假", "错误", "失败", "未完成", "non", "nein"}
BOTH = re.compile(r"\b(?:true|yes)\b\s*(?:/|\||,?\s*or\s+|,?\s*nor\s+)\s*\b(?:false|no)\b", re.IGNORECASE)
BOTH_TURNED = re.compile(r"\b(?:false|no)\b\s*(?:/|\||,?\s*or\s+|,?\s*nor\s+)\s*\b(?:true|yes)\b", re.IGNORECASE)
TRULY = {"true", "真"}  # the others of TRUE_WORDS also begin a polite reply
SENTENCE = re.compile(r"[^.!?\n。！？]+[.!?。！？]*")
CONTRAST = re.compile(r"\b(?:but|however|although|though|yet|except)\b|但|不过")
CLAUSE = re.compile(
    r"[,;:=，；：]|->|→|\b(?:verdict|answer|result|conclusion|decision|reply)\s+(?:is|must be)\b|答案是|结论是"
)
DOUBT = re.compile(
    r"\b(?:if|whether|would|could|might|may|maybe|perhaps|unless|cannot|can'?t|unsure|unclear|uncertain|possibly|either|"
    r"neither|hard to|difficult to|impossible to)\b|不确定|无法",
    re.IGNORECASE,
)
NOTHING = re.compile(
    r"^(?:there (?:is|are) )?(?:none|null|nothing|nothing (?:is )?left(?: to \w+)?|n/?a|"
    r"no (?:more )?(?:suitable |such |matching )?(?:objects?|items?|targets?)?\s*"
    r"(?:(?:is|are) )?(?:left|remain(?:s|ing)?)(?: (?:to|on|in) .*)?|无|没有|没有了|没有物体)$",
    re.IGNORECASE,
)
GRASPING = re.compile(
    r"(?:^|(?<=[.:!?\n\"“'*]))\s*((?:please\s+)?(?:grasp|grab|pick|take|lift)\b[^\n.!?\"”*]*)", re.IGNORECASE
)
NOT_LATIN = re.compile(r"[\u0400-\u04ff\u0590-\u06ff\u0900-\u0dff\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
MOST_WORDS = 60


def parse_verdict(text: str) -> bool:
    """True or False as the last JSON object with a verdict says, else the last explicit clause of the prose.

    A verdict in JSON that is neither outweighs the words around it. Raises UnreadableReply where nothing decides.
    """
    reply = read_reply(text)
    verdict = _written_verdict(reply) if reply.values else _spoken_verdict(reply.prose)
    if verdict is None:
        raise UnreadableReply(f"no verdict in the reply {text[:200]!r}")
    return verdict


def parse_proposal(text: str, cut: bool = False) -> str | None:
    """One grasping instruction on one line; None: the model says that nothing is left to grasp.

    `cut`: the reply was stopped by its limit of tokens, so that prose without a full stop is half a sentence. Text in
    another script is passed on as it is, since the same model reads it back. Raises UnreadableReply otherwise.
    """
    reply = read_reply(text)
    fields = [inner for value in reply.values for key, inner in entries(value) if key in INSTRUCTION_KEYS]
    for inner in reversed(fields):
        if inner is None:
            return None
        if isinstance(inner, str) and (line := _line(inner)):
            return None if NOTHING.match(line) else _short(line, text)
    prose = reply.prose.strip()
    if fields or reply.cut or (cut and not re.search(r"[.!。！]\W*$", prose)):
        raise UnreadableReply(f"no complete instruction in the reply {text[:200]!r}")
    if NOTHING.match(_line(prose)):
        return None
    sentences = GRASPING.findall(prose)
    if sentences:
        return _short(_line(sentences[-1]), text)
    lines = [line for line in map(_line, prose.splitlines()) if line]
    if lines and NOT_LATIN.search(lines[-1]):
        return _short(lines[-1], text)
    raise UnreadableReply(f"no grasping instruction in the reply {text[:200]!r}")


def parse_understanding(text: str) -> Understanding:
    """Whether the prompt names objects, and which. Raises UnreadableReply where the reply does not say."""
    reply = read_reply(text)
    kind, objects = None, None
    for value in reply.values:
        if isinstance(value, list) and not {key for key, _ in entries(value)} & {*KIND_KEYS, *OBJECT_KEYS}:
            objects = _names(value)
        for key, inner in entries(value):
            if key in KIND_KEYS and kind is None:
                kind = _kind(str(inner))
            elif key in OBJECT_KEYS and objects is None:
                objects = _names(inner)
    kind = kind or ("objects" if objects else _kind(reply.prose))
    if kind == "abstract":
        return Understanding("abstract")
    if kind == "objects" and objects:
        return Understanding("objects", objects)
    raise UnreadableReply(f"neither a list of objects nor an abstract goal in the reply {text[:200]!r}")


def _written_verdict(reply: Reply) -> bool | None:
    """What the last JSON value that offers a verdict says. One without any verdict (cut off before it, say) still is
    the answer, and it is undecided; a mere list among prose is not.
    """
    for value in reversed(reply.values):
        pairs = list(entries(value))
        for keys in (VERDICT_KEYS[:1], VERDICT_KEYS):
            said = {_word(inner) for key, inner in pairs if key in keys}
            if said:
                return said.pop() if len(said) == 1 else None
        flags = [inner for _, inner in pairs if isinstance(inner, bool)]
        if len(flags) == 1:
            return flags[0]
    if any(isinstance(value, dict) for value in reply.values):
        return None
    return _spoken_verdict(reply.prose)


def _word(value: Any) -> bool | None:
    if isinstance(value, str):
        value = value.strip().strip(".。!\"'*_` ").lower()
        return True if value in TRUE_WORDS else False if value in FALSE_WORDS else None
    if isinstance(value, bool):
        return value
    return bool(value) if isinstance(value, int | float) and value in (0, 1) else None


def _spoken_verdict(prose: str) -> bool | None:
    """The last clause that is a verdict and nothing else; failing that, what the last sentence says of true and false.

    Stricter towards True, because a wrong True drops an object or ends the work: a "yes" before further sentences (it
    may only say that the pictures arrived), a True that a "but" follows, and a True in mid-sentence decide nothing.
    """
    prose = BOTH_TURNED.sub(" ", BOTH.sub(" ", re.sub(r"[*_`#>\"'’“”]", "", prose.lower())))
    sentences = [found for found in SENTENCE.findall(prose) if found.strip(" .!。！?？")]
    verdict, contrast = None, False
    for sentence in sentences:
        doubtful = bool(DOUBT.search(sentence)) or sentence.rstrip().endswith(("?", "？"))
        for clause in CLAUSE.split(sentence):
            word = _word(clause)
            soft = word is True and clause.strip(" .!。！") not in TRULY and sentence is not sentences[-1]
            if word is not None and not doubtful and not soft:
                verdict, contrast = word, False
            contrast = contrast or bool(CONTRAST.search(clause))
        if sentence is sentences[-1] and verdict is None and not doubtful:
            verdict = _closing_word(sentence)
    return None if verdict and contrast else verdict


def _closing_word(sentence: str) -> bool | None:
    """What a sentence says that speaks of true or false once; of true only at its end."""
    turned = re.sub(r"\b(?:not|\w+nt)\s+(?:\w+\s+)?false\b", "\0", sentence)
    turned = re.sub(r"\b(?:not|\w+nt)\s+(?:\w+\s+)?true\b", "false", turned).replace("\0", "true")
    said = re.findall(r"\b(?:true|false)\b", turned)
    if len(said) != 1:
        return None
    if said == ["false"]:
        return False
    return True if turned.rstrip(" .!").endswith("true") else None


def _kind(text: str) -> str | None:
    text = text.strip().lower()
    if re.search(r"\bii\b|\b2\b|\babstract\b|抽象", text):
        return "abstract"
    return "objects" if re.search(r"\bi\b|\b1\b|\bobjects?\b|\bconcrete\b|具体", text) else None


def _names(value: Any) -> tuple[str, ...]:
    """The names in a list of strings or of objects with a name, or in one string with commas."""
    if isinstance(value, str):
        value = re.split(r"\s*[,;，、]\s*", value)
    if not isinstance(value, list):
        return ()
    texts = [
        next((v for v in item.values() if isinstance(v, str)), "") if isinstance(item, dict) else item for item in value
    ]
    return tuple(line for line in (_line(text) for text in texts if isinstance(text, str)) if line)


def _line(text: str) -> str:
    """One line without quotes, emphasis and a label in front."""
    text = " ".join(re.sub(r"[*`#]", "", text).split())
    text = re.sub(r"^(?:instruction|answer|output|指令)\s*[:：]\s*", "", text, flags=re.IGNORECASE)
    return text.strip(" \"'“”").rstrip(".。 ").strip(" \"'“”")


def _short(line: str, text: str) -> str:
    if len(line.split()) > MOST_WORDS or len(line) > 8 * MOST_WORDS:
        raise UnreadableReply(f"an essay instead of one instruction: {text[:200]!r}")
    return line
