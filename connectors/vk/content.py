"""What a VK message says beside who and when."""

from collections.abc import Iterator

from connectors.events import Media
from connectors.trees import Tree, items, part, text

FORWARDED_MAX = 20


def words_of(message: Tree) -> str:
    """The text, and what was forwarded with it as `> ` lines."""
    forwarded = [text(one, "text") for one in items(message, "fwd_messages")[:FORWARDED_MAX]]
    quoted = [f"> {line}" for words in forwarded if words for line in words.splitlines()]
    return "\n".join(filter(None, (text(message, "text"), *quoted)))


def media_of(message: Tree) -> tuple[Media, ...]:
    """Attachments of the message and of what was forwarded with it. VK's links die soon."""
    found = [media for one in (message, *items(message, "fwd_messages")[:FORWARDED_MAX]) for media in _attached(one)]
    place = part(message, "geo", "coordinates")
    if place:
        where = f"{text(place, 'latitude')},{text(place, 'longitude')}"
        title = text(message, "geo", "place", "title")
        found.append(Media("location", url=f"https://maps.google.com/?q={where}", name=title))
    return tuple(found)


def _attached(message: Tree) -> Iterator[Media]:
    for attachment in items(message, "attachments"):
        kind = text(attachment, "type")
        thing = part(attachment, kind) if kind else {}
        match kind:
            case "photo":
                yield Media("image", url=_largest(items(thing, "sizes")))
            case "sticker":
                yield Media("sticker", url=_largest(items(thing, "images")))
            case "poll":
                yield Media("poll", name=text(thing, "question"))
            case "story":
                yield Media("story")
            case "audio_message":
                yield Media("audio", url=text(thing, "link_mp3") or text(thing, "link_ogg"))
            case "audio":
                name = " – ".join(filter(None, (text(thing, "artist"), text(thing, "title"))))
                yield Media("audio", url=text(thing, "url"), name=name)
            case "video":
                video = f"{text(thing, 'owner_id')}_{text(thing, 'id')}"
                yield Media("video", url=f"https://vk.com/video{video}", name=text(thing, "title"))
            case "doc" | "graffiti":
                yield Media("file", url=text(thing, "url"), name=text(thing, "title"))
            case "link":
                yield Media("other", url=text(thing, "url"), name=text(thing, "title"))
            case "wall":
                post = f"{text(thing, 'owner_id') or text(thing, 'to_id')}_{text(thing, 'id')}"
                yield Media("other", url=f"https://vk.com/wall{post}", name=text(thing, "text")[:80])
            case "market":
                product = f"{text(thing, 'owner_id')}_{text(thing, 'id')}"
                yield Media("other", url=f"https://vk.com/product{product}", name=text(thing, "title"))
            case _:
                yield Media("other", name=kind[:50])


def _largest(sizes: list[Tree]) -> str:
    if not sizes:
        return ""
    return text(max(enumerate(sizes), key=lambda pair: (_area(pair[1]), pair[0]))[1], "url")


def _area(size: Tree) -> int:
    width, height = size.get("width"), size.get("height")
    return width * height if isinstance(width, int) and isinstance(height, int) else 0
