"""Test ids are the same in every process that collects the tests, or the workers of pytest-xdist refuse to run them."""

from __future__ import annotations

import time

import pytest


@pytest.mark.parametrize("content", [bytes([0, 255]), b"PK\x03\x04" + time.time_ns().to_bytes(8)])
def test_binary_parameters_are_numbered(content: bytes, request: pytest.FixtureRequest) -> None:
    assert request.node.name in ("test_binary_parameters_are_numbered[content0]", "test_binary_parameters_are_numbered[content1]")


@pytest.mark.parametrize("content", [b"readable"])
def test_readable_bytes_stay_in_the_id(content: bytes, request: pytest.FixtureRequest) -> None:
    assert request.node.name == "test_readable_bytes_stay_in_the_id[readable]"
