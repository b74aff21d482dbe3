"""Image references and their parts."""

from typing import NamedTuple


class ImageReference(NamedTuple):
    """An image reference split as the distribution specification does."""

    registry: str
    repository: str
    tag: str | None
    digest: str | None


DEFAULT_REGISTRY = "docker.io"


def parse_image(reference: str) -> ImageReference:
    """Split an image reference into registry, repository, tag and digest.

    The first component is a registry if it holds a dot or a colon or is `localhost`; otherwise the reference is Docker
    Hub's, whose one-word repositories live under `library/`. A bare image id (`sha256:...`) has only a digest.

    Examples
    --------
    >>> parse_image("nginx")
    ImageReference(registry='docker.io', repository='library/nginx', tag=None, digest=None)
    >>> parse_image("registry.example:5000/shop/web:1.4@sha256:ab")
    ImageReference(registry='registry.example:5000', repository='shop/web', tag='1.4', digest='sha256:ab')
    """
    rest, _, digest = reference.partition("@")
    if rest.startswith("sha256:"):
        return ImageReference("", "", None, rest)
    first, slash, remainder = rest.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, path = first, remainder
    else:
        registry, path = DEFAULT_REGISTRY, rest
    head, colon, tail = path.rpartition(":")
    repository, tag = (head, tail) if colon and "/" not in tail else (path, None)
    if registry == DEFAULT_REGISTRY and "/" not in repository:
        repository = f"library/{repository}"
    return ImageReference(registry, repository, tag, digest or None)


def familiar_repository(reference: str) -> str:
    """Name the repository as people do: Docker Hub's official images without `library/`.

    Examples
    --------
    >>> familiar_repository("debian:12"), familiar_repository("mirror.example/library/debian:12")
    ('debian', 'library/debian')
    """
    parts = parse_image(reference)
    return parts.repository.removeprefix("library/") if parts.registry == DEFAULT_REGISTRY else parts.repository


def image_columns(reference: str | None) -> dict[str, str | None]:
    """Give the event columns of an image reference; empty for none."""
    if not reference:
        return {}
    parts = parse_image(reference)
    return {
        "image": reference,
        "image_registry": parts.registry or None,
        "image_repository": parts.repository or None,
        "image_tag": parts.tag,
        "image_digest": parts.digest,
    }
