# ruff: noqa: E501 -- tables and wire forms stay in rows
"""Which attacks happen, when, and how loud."""

from collections.abc import Callable

from service.emulation.estate import attack_chains as chains
from service.emulation.estate import attack_channels as channels
from service.emulation.estate import attack_images as images
from service.emulation.estate import attack_kube as kube
from service.emulation.estate import attack_network as network
from service.emulation.estate import attack_runtime as runtime
from service.emulation.estate.world import HOUR, MINUTE, World

Act = Callable[[World, float, bool], None]

# In order of importance: a small estate suffers the first ones. True is the strong variant.
PLAN: list[tuple[Act, bool]] = [
    (images.unknown_registry, True), (channels.beacon, True), (runtime.privileged_host_bind, True), (runtime.exec_burst, True),
    (network.bulk_upload, True), (runtime.weaker_recreate, True), (network.scan, True), (kube.stolen_token, True),
    (channels.reverse_shell, True), (images.moved_tag, True), (channels.dns_tunnel, True), (channels.borrowed_name, True),
    (channels.beacon, False), (network.miner, True), (chains.drop_beacon_upload, True), (channels.malleable, True),
    (kube.all_secrets, True), (kube.admin_binding, True), (runtime.tool_drop, True), (images.committed, True),
    (runtime.monitoring_off, True), (channels.not_tls, True), (images.built_on_host, True), (runtime.shared_namespace, True),
    (chains.pull_beacon_mine, True), (network.drip, False), (channels.borrowed_name, False), (runtime.exec_burst, False),
    (images.moved_tag, False), (channels.dns_tunnel, False), (images.unknown_publisher, True), (network.bulk_upload, False),
    (runtime.weaker_recreate, False), (channels.reverse_shell, False), (runtime.second_network, True), (images.unknown_registry, False),
    (channels.fake_tls, True), (network.scan, False), (runtime.monitoring_off, False), (kube.probing, True), (kube.all_secrets, False),
    (runtime.privileged_host_bind, False), (network.east_west, True), (network.miner, False), (channels.malleable, False),
    (kube.privileged_pod, True), (network.metadata, True), (kube.pod_beacon, True), (chains.drop_beacon_upload, False),
    (runtime.tool_drop, False), (kube.stolen_token, False), (runtime.silent_restart_policy, True), (channels.not_tls, False),
]  # fmt: skip
_LONG = {network.drip: 17.0, channels.beacon: 12.5, channels.borrowed_name: 9.5, channels.malleable: 8.5, channels.dns_tunnel: 8.5,
         images.unknown_registry: 12.0, chains.drop_beacon_upload: 6.5, network.miner: 6.0, kube.pod_beacon: 9.5}  # fmt: skip


def schedule(world: World) -> None:
    """Spread the plan over the watched days, at random, long attacks early enough to end within them."""
    options, rng = world.options, world.rng
    wanted = max(6, round(options.workloads * 0.47))
    plan = [item for item in PLAN if world.cluster is not None or item[0].__module__ != kube.__name__][:wanted]
    low, high = options.watch + 40 * MINUTE, options.end - HOUR
    step = (high - low) / len(plan)
    slots = [low + (i + float(rng.uniform(0.1, 0.9))) * step for i in range(len(plan))]
    order = rng.permutation(len(plan)).tolist()
    for act, strong in sorted((plan[i] for i in order), key=lambda item: -_LONG.get(item[0], 0.0) * (2 - item[1])):
        latest = high - _LONG.get(act, 3.0) * HOUR * (0.4 if strong else 1.0)
        fitting = [slot for slot in slots if slot <= latest] or slots[:1]
        slot = fitting[int(rng.integers(len(fitting)))]
        slots.remove(slot)
        world.at(slot, act, strong)
