"""The messages that the code shows a user, found in its source."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path("src/lstm_lm")
VALUE = "…"  # what stands in a template for a value
# What shows its argument to the user: an error of one line, or a warning.
ERRORS = ("UserError", "StoreError", "ServerRefusal", "Interrupted")
WARNINGS = ("warning", "report", "_report")
TEXTS = (ast.JoinedStr, ast.IfExp, ast.Constant)
CHECKS = ("config/schema.py", "generation/options.py")  # a ValueError here is shown as the problem with a key or an option

Scope = Mapping[str, list[ast.expr]]  # what the names of a function are assigned


@dataclass(frozen=True)
class Message:
    """A message.

    Attributes:
        template: with VALUE in the place of each value.
        path: of the module that shows it, relative to the package.
    """

    template: str
    path: str


def messages(package: Path = PACKAGE) -> list[Message]:
    """Return all messages, each once, in the order of the modules and of their lines."""
    functions = _returned_templates(package)
    found: dict[str, Message] = {}
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package).as_posix()
        for template in _shown(ast.parse(path.read_text(encoding="utf-8")), relative, functions):
            found.setdefault(_tidy(template), Message(_tidy(template), relative))
    return list(found.values())


def is_complete(message: Message) -> bool:
    """Whether a template has words of its own: a message that another function made has none here."""
    return bool(re.search(r"[a-z]{2}.* .*[a-z]{2}", re.sub("^(params.yaml|warning): ", "", message.template).replace(VALUE, "")))


def _shown(tree: ast.Module, path: str, functions: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield the templates of the messages that a module shows."""
    constants = _assignments(tree)
    for function in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))]:
        scope = {**constants, **_assignments(function)}
        for node in _own_nodes(function):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ERRORS or (name == "ValueError" and path in CHECKS):
                yield from _templates(node.args[0], scope, functions) if node.args else ()
            elif name == "SettingError":
                key, problem = (list(_templates(argument, scope, functions)) for argument in node.args[:2])
                yield from (f"params.yaml: {each}: {text}" for each in key for text in problem)
            elif name == "exclusive":  # of io.locks
                yield from _templates(node.args[1], scope, functions)
            elif name in WARNINGS and node.args:
                yield from (f"warning: {text.removeprefix('warning: ')}" for text in _templates(node.args[0], scope, functions))
            elif name == "leave" and node.args:
                yield from (text.removeprefix("error: ") for text in _templates(node.args[0], scope, functions))


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function or module, in their order, without those of the functions in it."""
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, ast.FunctionDef):
            yield node
            yield from _own_nodes(node)


def _assignments(function: ast.AST) -> dict[str, list[ast.expr]]:
    assigned: dict[str, list[ast.expr]] = {}
    for node in _own_nodes(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            assigned.setdefault(node.targets[0].id, []).append(node.value)
    return assigned


def _returned_templates(package: Path) -> dict[str, list[str]]:
    """Return the templates of the strings that functions return, by the name of the function."""
    found: dict[str, list[str]] = {}
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                scope = {**_assignments(tree), **_assignments(function)}
                returned = [node.value for node in _own_nodes(function) if isinstance(node, ast.Return) and node.value is not None]
                texts = [text for value in returned for text in _templates(value, scope, {})]
                if function.name.endswith(("_line", "_message", "_problem")):
                    found[function.name] = texts
    return found


def _templates(node: ast.expr, scope: Scope, functions: Mapping[str, list[str]]) -> list[str]:
    """Return what an expression for a text can be, with VALUE for what is only known when the code runs."""
    texts = [VALUE]
    match node:
        case ast.Constant(value=str(text)):
            texts = [text]
        case ast.JoinedStr(values=parts):
            texts = _joined([_templates(part, scope, functions) for part in parts])
        case ast.FormattedValue(value=ast.Name(id=name)) if any(isinstance(value, TEXTS) for value in scope.get(name, [])):
            texts = _templates_of_name(name, scope, functions)
        case ast.FormattedValue(value=ast.Call(func=ast.Name(id="counted"), args=[_, *nouns])):  # of lstm_lm.wording
            texts = [f"{VALUE} {_plural(nouns)}"]
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            texts = _joined([_templates(left, scope, functions), _templates(right, scope, functions)])
        case ast.IfExp(body=body, orelse=orelse):
            texts = [*_templates(body, scope, functions), *_templates(orelse, scope, functions)]
        case ast.Name(id=name) if name in scope:
            texts = _templates_of_name(name, scope, functions)
        case ast.Call(func=ast.Attribute(value=template, attr="format")):
            texts = [re.sub(r"\{\w*\}", VALUE, text) for text in _templates(template, scope, functions)]
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in functions:
            texts = functions[name]
    return texts


def _plural(nouns: list[ast.expr]) -> str:
    singular, *plural = (str(ast.literal_eval(noun)) for noun in nouns)
    return plural[0] if plural else f"{singular}s"


def _templates_of_name(name: str, scope: Scope, functions: Mapping[str, list[str]]) -> list[str]:
    others = {key: values for key, values in scope.items() if key != name}
    return [text for value in scope[name] for text in _templates(value, others, functions)]


def _joined(parts: list[list[str]]) -> list[str]:
    """Return every way to join one text of each part."""
    texts = [""]
    for part in parts:
        texts = [text + choice for text in texts for choice in part]
    return texts


def _tidy(template: str) -> str:
    return re.sub(rf"(?:{VALUE}|\{{\w+\}})+", VALUE, " ".join(template.split()))
