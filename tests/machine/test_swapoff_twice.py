"""swapoff of an area whose namespace ends meanwhile: it is back in its table once."""

from __future__ import annotations

from tests.support.swap_machine import SwapMachine


def test_the_last_task_of_a_namespace_dies_in_its_swapoff() -> None:
    played = SwapMachine()
    played.boot(
        memory=64,
        profile="6.18",
        rules="default",
        policy=None,
        page_cluster=0,
        fast=False,
        logins=1,
        zram=None,
    )
    played.clone(kind="newswap", who=1)
    played.swapoff(which=1, who=1)
    played.machine.verify()
    played.teardown()
