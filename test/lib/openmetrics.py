"""openmetrics - a strict reader of OpenMetrics 1.0 text: what it doesn't know is an error.

    for name, family in openmetrics.parse(text).items():
        family.type, family.unit, family.help, family.samples
"""
import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]Inf|NaN")
SUFFIXES = {"counter": ("_total", "_created"), "gauge": ("",), "info": ("_info",),
            "summary": ("", "_count", "_sum", "_created"), "unknown": ("",)}


class Family:
    def __init__(self):
        self.type = self.unit = self.help = None
        self.samples = {}  # (name, labels as sorted pairs) -> number


def _metadata(line, families, name_now):
    m = re.fullmatch(r"# (TYPE|UNIT|HELP) (\S+) (.+)", line)
    assert m and NAME.fullmatch(m[2]), "bad comment: %r" % line
    what, name, rest = m.groups()
    family = families.setdefault(name, Family())
    assert name == name_now or family.type is None, "%s comes twice" % name
    assert not family.samples, "%s: %s behind a sample" % (name, what)
    key = what.lower()
    assert getattr(family, key) is None, "%s: two %s lines" % (name, what)
    if what == "TYPE":
        assert rest in SUFFIXES, "%s: type %s" % (name, rest)
    if what == "UNIT":
        assert name.endswith("_" + rest), "%s does not end with its unit, %s" % (name, rest)
        assert family.type not in (None, "info"), "%s: unit" % name
    if what == "HELP":
        assert not re.search(r"\\[^\\n\"]", rest), "%s: escape in %r" % (name, rest)
    setattr(family, key, rest)
    return name


def _labels(text, line):
    labels = {}
    while text:
        m = LABEL.match(text)
        assert m and m[1] not in labels, "bad labels: %r" % line
        labels[m[1]] = m[2]
        text = text[m.end():]
        if text:
            assert text[0] == "," and len(text) > 1, "bad labels: %r" % line
            text = text[1:]
    return tuple(sorted(labels.items()))


def _sample(line, families, name_now):
    m = re.fullmatch(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)", line)
    assert m and NUMBER.fullmatch(m[3]), "bad sample: %r" % line
    assert name_now is not None, "a sample without its family: %r" % line
    family = families[name_now]
    assert family.type is not None, "%s has no TYPE" % name_now
    assert m[1] in [name_now + s for s in SUFFIXES[family.type]], "%s in the family %s" % (m[1], name_now)
    labels, value = _labels(m[2] or "", line), float(m[3])
    if family.type == "summary" and m[1] == name_now:
        assert [k for k, _ in labels] == ["quantile"] and 0 <= float(labels[0][1]) <= 1, line
    if family.type == "counter" or m[1] != name_now and family.type == "summary":
        assert value >= 0, "%s counts down" % line
    if family.type == "info":
        assert value == 1 and labels, line
    assert (m[1], labels) not in family.samples, "twice: %r" % line
    family.samples[m[1], labels] = value


def parse(text):
    """{name: Family}; AssertionError says what is wrong."""
    assert text.endswith("# EOF\n"), "no # EOF at the end"
    families, now = {}, None
    for line in text[:-len("# EOF\n")].split("\n")[:-1]:
        assert line != "", "an empty line"
        if line.startswith("#"):
            now = _metadata(line, families, now)
        else:
            _sample(line, families, now)
    for name, family in families.items():
        assert family.samples, "%s has no sample" % name
        if family.type == "counter":
            assert any(n == name + "_total" for n, _ in family.samples), "%s has no total" % name
    return families
