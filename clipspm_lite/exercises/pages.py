"""Notebooks as pages that a browser shows and prints: alt texts kept, nothing cut, nothing to load but MathJax."""

import re

DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
PIECE = re.compile(r"\\(?:begin|left)(?![a-z])|\\(?:end|right)(?![a-z])|\\[{}]|[{}]|(?:\\qquad\s*)(?:\\q?quad\s*)*")


def _apart(equations: str) -> list[str]:
    """Equations that stand side by side, ``a \\qquad b``, one by one; what is in braces or ``cases`` stays together."""
    parts, depth, start = [], 0, 0
    for match in PIECE.finditer(equations):
        piece = match[0]
        if piece.startswith("\\qquad"):
            if depth == 0:
                parts.append(equations[start : match.start()].strip())
                start = match.end()
        elif piece in ("{", "\\begin", "\\left"):
            depth += 1
        elif piece in ("}", "\\end", "\\right"):
            depth -= 1
    return [*parts, equations[start:].strip()]


def one_equation_per_line(text: str) -> str:
    """Markdown in which equations that stood side by side stand below each other, so that a phone shows them whole."""

    def stacked(match: re.Match[str]) -> str:
        parts = _apart(match[1])
        if len(parts) == 1:
            return match[0]
        return "$$\\begin{aligned}\n&" + " \\\\[6pt]\n&".join(parts) + "\n\\end{aligned}$$"

    return DISPLAY.sub(stacked, text)
