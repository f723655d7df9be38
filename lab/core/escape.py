"""Names as text for a terminal, Markdown, LaTeX and CSV, in which none of their letters is a command.

Names come from files of other people: feature sets, variants, models, categories, files. Jinja escapes them in HTML;
matplotlib reads no mathematics in them (`lab.report.style`).
"""

import re
import unicodedata

_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode's categories of letters that show nothing and can change what is shown around them."""
_ALLOWED = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"
"""Some scripts and many emoji cannot be written without these, and they reorder nothing."""

_LATEX = {
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "|": "\\textbar{}",
    "·": "\\textperiodcentered{}",
    "[": "{[}",  # behind \\ and \midrule it would begin an argument
    "*": "{*}",
} | {letter: f"\\{letter}" for letter in "&%$#_{}"}

_MARKDOWN = r"[\\`*|$\[\]]|~~|<(?=[A-Za-z/!?])|&(?=[#A-Za-z])|(?<![^\W_])_|_(?![^\W_])"
"""What means something in the middle of a line. Within a word _ does not, nor does < before a blank or a number."""

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""How a cell begins that a spreadsheet computes; and those that `csv_cell` has marked already."""


def printable(text: str, keep: str = "") -> str:
    """The text with each control character, direction mark and line break as its code, such as `\\x1b`.

    `keep` names those that stay as they are.
    """
    return "".join(letter if letter in keep or not _is_invisible(letter) else _code(letter) for letter in text)


def terminal(text: str) -> str:
    """The text for a terminal, on the lines that it has. No letter of it moves the cursor or sets a colour."""
    return printable(text, keep="\n\t")


def markdown(text: str) -> str:
    """The text for a cell of a table or a sentence of GitHub's Markdown, on one line."""
    # In the middle of a word _ means nothing, and neither does < before a blank or a number.
    escaped = re.sub(_MARKDOWN, r"\\\g<0>", _on_one_line(text))
    return re.sub(r"^(\d*)([#>+.)-])", r"\1\\\2", escaped)


def latex(text: str) -> str:
    """The text for the body of a LaTeX document, on one line."""
    escaped = "".join(_LATEX.get(letter, letter) for letter in _on_one_line(text))
    return escaped.replace("--", "-{}-{}")  # else they are joined to a dash


def latex_comment(text: str) -> str:
    """The text for a comment of LaTeX, which ends where its line does."""
    return _on_one_line(text)


def csv_cell(text: str) -> str:
    """The text for a cell of CSV: an apostrophe before what a spreadsheet would take for a formula.

    Numbers are to be written as numbers, so that a minus stays one. `csv_name` is the inverse.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def csv_name(cell: str) -> str:
    """The text that `csv_cell` made the cell of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _on_one_line(text: str) -> str:
    return printable(re.sub(r"\s*[\r\n\v\f\x85\u2028\u2029]+\s*", " ", text).strip())


def _is_invisible(letter: str) -> bool:
    return letter not in _ALLOWED and unicodedata.category(letter) in _INVISIBLE


def _code(letter: str) -> str:
    return letter.encode("unicode_escape", "surrogatepass").decode()
