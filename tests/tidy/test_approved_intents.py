"""Only risk makes an `ApprovedIntent`: whoever else wrote one would go round the gate."""

import ast

from tests.tidy.tree import parsed, python_files, relative


def makers(text: ast.AST) -> bool:
    """Whether code calls the class, or copies one with other contents."""
    return any(
        isinstance(node, ast.Call) and "ApprovedIntent" in ast.unparse(node.func).split(".")[-1]
        for node in ast.walk(text)
    )


def test_nobody_but_the_gate_approves() -> None:
    found = [relative(path) for path in python_files("src") if makers(parsed(path))]
    assert found == ["src/openalpha/risk/gate.py"]


def test_the_rule_bites() -> None:
    assert makers(ast.parse("x = messages.ApprovedIntent(intent, 1)"))
    assert not makers(ast.parse("def f(x: ApprovedIntent) -> None: ..."))
