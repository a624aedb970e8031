"""A C file as tidy.py needs to see it: without comments, cut into what stands at file scope.

This is no compiler.  It knows comments, strings, preprocessor lines, braces and parentheses, which is
enough to tell functions, variables and types apart in code that clang-format has formatted.
"""
import re

TOKEN = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
WORD = re.compile(r"[A-Za-z_]\w*|[^\s\w]|\d\w*")


def blank(text):
    return re.sub(r"[^\n]", " ", text)


class Item:
    """Something at file scope: text with strings and comments blanked, and where it starts."""

    def __init__(self, source, start, end, body):
        self.source = source
        self.start = start
        self.end = end          # one past its last character
        self.body = body        # offset of the brace that opens its body, or None
        self.text = source.bare[start:end]
        self.line = source.line_of(start)

    @property
    def head(self):
        """What comes before the body, or before the initialiser."""
        text = self.source.bare[self.start:self.body] if self.body is not None else self.text
        return drop_attributes(text.split("=")[0].rstrip(" \n;"))

    def words(self):
        return WORD.findall(self.head)

    def kind(self):
        words = self.words()
        if not words or words[0] in ("_Static_assert", "static_assert", "__asm__", "asm"):
            return "other"
        if "typedef" in words:
            return "typedef"
        is_type = bool({"struct", "union", "enum"} & set(words))
        if self.body is not None and "=" not in self.source.bare[self.start:self.body]:
            if is_type and "(" not in words:
                return "variable" if self.declared_after_type() else "type"
            return "function"
        if is_type and "(" not in words and "=" not in self.text and len(words) <= 2:
            return "type"           # a forward declaration
        if "(" in words and not re.search(r"\(\s*\*", self.head):
            return "prototype"
        if re.match(r"[A-Z][A-Z0-9_]*\s*\(", self.head):
            return "other"          # a macro that expands to declarations
        if re.search(r"\(\s*\*", self.head) and self.is_prototype_with_pointers():
            return "prototype"
        return "variable"

    def is_prototype_with_pointers(self):
        # `int *name(void (*callback)(int))`: the first parenthesis opens parameters, a name before it.
        before = self.head.split("(", 1)[0].split()
        after = self.head.split("(", 1)[1].lstrip()
        return bool(before) and not after.startswith("*")

    def declared_after_type(self):
        """The declarators in `struct x {...} name;`."""
        closing = self.text.rfind("}")
        return drop_attributes(self.text[closing + 1:]).strip(" \n;")

    def name(self):
        kind = self.kind()
        if kind in ("function", "prototype"):
            match = re.search(r"([A-Za-z_]\w*)\s*\(", self.head)
            return match.group(1) if match else ""
        if kind == "variable" and self.body is not None and self.declared_after_type():
            return re.findall(r"[A-Za-z_]\w*", self.declared_after_type())[0]
        if kind == "variable":
            pointer = re.search(r"\(\s*\*\s*(?:const\s+)?([A-Za-z_]\w*)", self.head)
            if pointer:
                return pointer.group(1)
            names = re.findall(r"[A-Za-z_]\w*", re.sub(r"\[[^\]]*\]", " ", self.head))
            return names[-1] if names else ""
        return ""

    def is_const(self):
        """Whether a variable cannot change: const behind the last `*` before its name."""
        head = self.head
        if self.body is not None and "=" not in self.source.bare[self.start:self.body]:
            head = self.head.split("{")[0] + " " + self.declared_after_type()
        before = head[:head.rfind(self.name())] if self.name() else head
        return "const" in re.findall(r"\w+", before.rsplit("*", 1)[-1])


def drop_attributes(text):
    """Without __attribute__((...)) and _Alignas(...)."""
    while True:
        match = re.search(r"\b(__attribute__|_Alignas|alignas)\s*\(", text)
        if not match:
            return text
        depth, at = 0, match.end() - 1
        for at in range(match.end() - 1, len(text)):
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            if depth == 0:
                break
        text = text[:match.start()] + " " * (at + 1 - match.start()) + text[at + 1:]


class Source:
    def __init__(self, text):
        self.text = text
        self.comments = []          # (start, end)
        self.code = self._strip(text, strings=False)
        self.bare = self._without_directives(self._strip(text, strings=True))
        self.starts = [0]
        for match in re.finditer("\n", text):
            self.starts.append(match.end())
        self.items = list(self._items())

    def _strip(self, text, strings):
        comments = []

        def replace(match):
            found = match.group(0)
            if found.startswith("/"):
                comments.append(match.span())
                return blank(found)
            if strings:
                return found[0] + blank(found[1:-1]) + found[-1]
            return found

        stripped = TOKEN.sub(replace, text)
        self.comments = comments
        return stripped

    def _without_directives(self, text):
        def replace(match):
            self.directives.append((match.start(), match.group(0)))
            return blank(match.group(0))

        self.directives = []
        return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", replace, text, flags=re.M)

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1

    def code_lines(self, start=0, end=None):
        return sum(1 for line in self.code[start:end].split("\n") if line.strip())

    def includes(self):
        """(line, opening character, name) of every #include."""
        for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)', self.code, re.M):
            yield self.line_of(match.start()), match.group(1), match.group(2)

    def _items(self):
        bare, at, end = self.bare, 0, len(self.bare)
        while at < end:
            if bare[at].isspace() or bare[at] in ";}":
                at += 1             # the brace that closes extern "C"
                continue
            linkage = re.compile(r'extern\s*"[^"]*"\s*\{').match(bare, at)
            if linkage:
                at = linkage.end()
                continue
            item = self._item(at)
            yield item
            at = item.end

    def _item(self, start):
        depth, body, assigned = 0, None, False
        bare = self.bare
        for at in range(start, len(bare)):
            char = bare[at]
            if char in "([{":
                if char == "{" and depth == 0 and body is None:
                    body = at
                depth += 1
            elif char in ")]}":
                depth -= 1
                if char == "}" and depth == 0 and not assigned:
                    item = Item(self, start, at + 1, body)
                    if item.kind() == "function":
                        return item
            elif char == "=" and depth == 0:
                assigned = True
            elif char == ";" and depth == 0:
                return Item(self, start, at + 1, body)
        return Item(self, start, len(bare), body)

    def comment_before(self, offset):
        """The comment that ends right before `offset`, or an empty string."""
        for start, end in reversed(self.comments):
            if end <= offset:
                return self.text[start:end] if not self.text[end:offset].strip() else ""
        return ""
