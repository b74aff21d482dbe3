"""Which benign behaviour of the catalogue each act of a healthy estate is."""

from service.emulation.labels import Lookalike

# what an act is called here: its kind in the catalogue, by what it shows rather than by why it is done
KINDS = {
    "ci": "B1", "dev_box": "B1", "nightly_build": "B1",
    "release": "B2", "rollback": "B2", "migration": "B2", "canary": "B2", "new_service": "B2", "agent_upgrade": "B2",
    "reboot": "B2",
    "cron_backup": "B3", "hourly_export": "B3",
    "autoscale": "B4", "crash": "B4", "crash_loop": "B4",
    "prepull": "B5",
    "health_check": "B6",
    "scrape": "B7",
    "log_shipper": "B8",
    "heartbeat": "B9", "new_saas": "B9",
    "websocket": "B10",
    "host_agent": "B11",
    "image_scanner": "B12", "socket_reader": "B12",
    "capadd_init": "B13",
    "ops_exec": "B14", "cp_hotfix": "B14", "incident_response": "B14",
    "resource_update": "B15",
    "apt_job": "B16",
    "mesh": "B17",
    "ntp_burst": "B18", "ptr_storm": "B18", "cdn_names": "B18", "dnsbl": "B18", "search_paths": "B18", "crawler": "B18",
    "replication": "B19",
    "chain_node": "B20",
    "gitops": "B21", "helm_install": "B21",
    "secrets_listed": "B22",
    "nested_build": "B23",
}  # fmt: skip


def lookalike(act: str, workload: str, start: str, end: str) -> Lookalike:
    """Return the label of a benign act."""
    return Lookalike(kind=KINDS[act], act=act, workload=workload, start=start, end=end)
