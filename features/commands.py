# ruff: noqa: E501 -- a table stays in rows
"""What a command run inside a container is for, and how much of it is danger.

A first `ps` and a first `nsenter` are equally new. What parts them is what they do: dangers are the uses that ATT&CK
describes for containers and Linux, with the tools its write-ups name. Looking at the container's own processes, files
and connections, which is what operators do in an incident, is none.
"""

import re
from collections.abc import Sequence

from features.dangers import Danger

_NUMBER = re.compile(r"\d{3,}")
_LONGEST = 120
_SHELL = r"(?:\S*/)?(?:ba|da|a|z|k)?sh"
_RUN = r"(?:^|[;&|(`]\s*|\b(?:sudo|exec|nohup)\s+|-c\s+['\"]?)(?:\S*/)?"  # where a program's name may stand
_SCRATCH = r"/(?:tmp|var/tmp|dev/shm|run/shm)/"

COMMANDS: Sequence[Danger] = (
    Danger(8, "T1611", "breaks out to the host", _RUN + r"(?:nsenter|unshare|chroot|pivot_root|debugfs|insmod|modprobe|runc|ctr|crictl)\b"),
    Danger(8, "T1611", "reaches for the host's kernel or engine", r"/proc/1/root|release_agent|core_pattern|/proc/sysrq|(?:docker|containerd|crio)\.sock|/dev/(?:sd|vd|xvd|nvme|mapper)"),
    Danger(8, "T1003.008", "reads the password database", r"/etc/(?:shadow|gshadow|sudoers)\b"),
    Danger(8, "T1496", "mines", r"\b(?:xmrig|minerd|cpuminer|ethminer|kdevtmpfsi|kinsing)\b|stratum\+(?:tcp|ssl)://"),
    Danger(8, "T1059.004", "opens a shell over the network", r"/dev/(?:tcp|udp)/|\b(?:nc|ncat|netcat)\b.*\s-\w*[ec]\b|\bsocat\b.*(?i:exec:)|\bsh -i\b|pty\.spawn"),
    Danger(8, "T1105", "runs what it fetches", r"\b(?:curl|wget|base64|xxd)\b.*\|\s*(?:sudo\s+)?(?:\S*/)?(?:(?:ba|da|a|z|k)?sh|python\d?|perl|php)\b|\b(?:ba)?sh\b.*[<$]\(\s*(?:curl|wget)"),
    Danger(6, "T1552.001", "reads keys or credentials", r"/\.ssh/|\bid_(?:rsa|dsa|ecdsa|ed25519)\b|/\.(?:aws|azure|kube|docker|config/gcloud)/|/etc/kubernetes/|/var/lib/kubelet|/\.(?:git-credentials|netrc|pgpass|my\.cnf)\b"),
    Danger(6, "T1528", "reads mounted secrets or a token", r"\bsecrets?/|/credentials?(?:\.|\b)|\bserviceaccount/token"),
    Danger(6, "T1552.007", "reads the memory or environment of processes", r"/proc/(?:\d+|\*)/(?:environ|mem)\b"),
    Danger(6, "T1552.005", "asks the cloud's metadata service", r"\b(?:169\.254\.169\.254|metadata\.google\.internal|100\.100\.100\.200)\b"),
    Danger(6, "T1105", "runs a program from a directory for temporary files", rf"{_RUN}{_SCRATCH.removesuffix('/')}/\S+|^(?:{_SHELL}|nohup)\s+(?:-\w+\s+)*{_SCRATCH}"),
    Danger(6, "T1046", "maps or attacks the cluster", _RUN + r"(?:nmap|masscan|zmap|zgrab|rustscan|kube-hunter|peirates|cdk|deepce|linpeas|amicontained|botb|kubeletctl|hydra|gobuster|pnscan)\b"),
    Danger(5, "T1222.002", "makes a program of a temporary file", rf"\b(?:chmod|install)\b.*{_SCRATCH}"),
    Danger(5, "T1098", "makes a way back", r"\bcrontab\b|/etc/cron|/etc/ld\.so\.preload|LD_PRELOAD=|\b(?:useradd|adduser|usermod|chpasswd)\b|\bsystemctl enable\b"),
    Danger(5, "T1562", "hides traces or stops a guard", r"\bhistory -c\b|\.bash_history|HISTFILE=|\b(?:rm|shred|truncate)\b.*/var/log|\b(?:pkill|killall|setenforce|chattr)\b|\b(?:iptables|nft|ufw)\b"),
    Danger(4, "T1613", "asks the orchestrator or the engine", _RUN + r"(?:kubectl|docker|podman|etcdctl)\b"),
    Danger(4, "T1059.004", "takes a script from standard input", rf"^{_SHELL}\s+-s\b|^(?:\S*/)?(?:python[\d.]*|perl|ruby|node|php)(?:\s+-)?$"),
    Danger(4, "T1048", "copies files out", r"\btar\s+-?c\w*\s+-(?:\s|$)|\b(?:scp|rsync|rclone)\b|\bcurl\b.*\s(?:-T|-F|--upload-file|--data-binary)\b"),
    Danger(4, "T1059", "runs code given on the command line", r"\b(?:python[\d.]*|perl|ruby|node|php|lua)\s+-[cer]\b"),
    Danger(3, "T1105", "fetches a file", r"\bwget\b|\bcurl\b.*\s-\w*[oO]\b|\b(?:nc|ncat|tftp|ftpget|socat)\b"),
    Danger(3, "T1105", "installs packages", r"\b(?:apt|apt-get|apk|yum|dnf|microdnf|pip\d?|npm|gem)\s+(?:-\w+\s+)*(?:install|add)\b"),
    Danger(3, "T1140", "decodes what was hidden", r"\bbase64\s+(?:-d|-D|--decode)\b|\bxxd\s+-r\b"),
    Danger(2, "T1069", "asks what it may do", r"\bcapsh\b|\bCap\w*\b.*/proc/self/status|/proc/self/(?:cgroup|mount)|\bfind\b.*-perm|\bsudo -l\b|^(?:\S*/)?mount$"),
    Danger(1, "T1609", "opens a shell", rf"^{_SHELL}(?:\s+-[il]+)*$"),
    Danger(1, "T1033", "asks who and where it is", r"^(?:\S*/)?(?:id|whoami|hostname|uname|arch|lsb_release)\b"),
    Danger(1, "T1082", "lists the environment", r"^(?:\S*/)?(?:env|printenv)$"),
    Danger(1, "T1016", "lists connections or neighbours", r"/proc/net/|^(?:\S*/)?(?:arp|ip|ifconfig|route)\b"),
)  # fmt: skip


def command_profile(command: str) -> str:
    """Give a command without longer numbers, which differ from run to run, cut at 120 characters.

    Examples
    --------
    >>> command_profile("kill -9 12345")
    'kill -9 #'
    """
    return _NUMBER.sub("#", command)[:_LONGEST]
