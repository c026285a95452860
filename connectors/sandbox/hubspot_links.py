"""Association endpoints of the sandbox account."""

from typing import Any

from connectors.sandbox.base import SandboxRequest, SandboxResponse
from connectors.sandbox.hubspot_batch import Batches
from connectors.sandbox.hubspot_errors import RefusedError, not_found
from connectors.sandbox.hubspot_records import Records
from connectors.sandbox.hubspot_schema import ASSOCIATIONS, SINGULAR, type_of


class LinksPart:
    def __init__(self, records: Records, batches: Batches) -> None:
        self._records = records
        self._batches = batches

    def one(self, request: SandboxRequest, method: str, type_: str, id_: str, rest: list[str]) -> SandboxResponse:
        records = self._records
        found = str(records.get(type_, id_)["id"])
        if found != id_ and method == "GET":  # what hangs on a merged record is told by its new id only
            return SandboxResponse(200, {"results": []})
        id_ = found
        match (method, rest):
            case ("GET", [to]):
                return SandboxResponse(200, self._page_of_links(request, type_, id_, type_of(to)))
            case ("PUT", ["default", to, to_id]):
                to = type_of(to)
                to_id = records.linkable(to, to_id)
                records.link(type_, id_, to, to_id)
                pairs = [(type_, id_, to, to_id), (to, to_id, type_, id_)]
                results = [
                    {
                        "from": {"id": one},
                        "to": {"id": other},
                        "associationSpec": {
                            "associationCategory": "HUBSPOT_DEFINED",
                            "associationTypeId": ASSOCIATIONS[(kind, other_kind)][0],
                        },
                    }
                    for kind, one, other_kind, other in pairs
                ]
                return SandboxResponse(200, self._batches.answer(results))
            case ("PUT", [to, to_id]):
                to = type_of(to)
                types = [int(item["associationTypeId"]) for item in request.json()]
                if not types or not set(types) <= set(ASSOCIATIONS[(type_, to)]):
                    raise RefusedError(400, f"Association types {types} are not valid from {type_} to {to}")
                records.link(type_, id_, to, records.linkable(to, to_id), types)
                labels = {"fromObjectTypeId": SINGULAR[type_], "fromObjectId": id_}
                labels |= {"toObjectTypeId": SINGULAR[to], "toObjectId": to_id}
                return SandboxResponse(201, {**labels, "labels": []})
            case ("DELETE", [to, to_id]):
                records.unlink(type_, id_, type_of(to), to_id)
                return SandboxResponse(204)
        raise not_found("no such endpoint")

    def _page_of_links(self, request: SandboxRequest, type_: str, id_: str, to: str) -> dict[str, Any]:
        limit, after = int(request.param("limit", "500")), int(request.param("after", "0"))
        others = self._records.links.get((type_, id_), {}).get(to, {})
        ids = sorted((other for other in others if int(other) >= after), key=int)
        answer: dict[str, Any] = {"results": [_link(other, others[other]) for other in ids[:limit]]}
        if len(ids) > limit:
            answer["paging"] = {"next": {"after": ids[limit]}}
        return answer

    def batch(self, request: SandboxRequest, from_: str, to: str, rest: list[str]) -> SandboxResponse:
        match (request.method, rest):
            case ("GET", ["labels"]):
                types = [id_ for id_ in ASSOCIATIONS[(from_, to)] if id_]
                labels = [{"category": "HUBSPOT_DEFINED", "typeId": id_, "label": None} for id_ in types]
                return SandboxResponse(200, {"results": labels})
            case ("POST", ["batch", "read"]):
                results, errors = [], []
                for item in request.json()["inputs"]:
                    id_ = str(item["id"])
                    others = self._records.links.get((from_, id_), {}).get(to, {})
                    if others:
                        links = [_link(other, types) for other, types in others.items()]
                        results.append({"from": {"id": id_}, "to": links})
                    else:
                        text = f"No {to} is associated with {from_} {id_}."
                        more = {"subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND"}
                        error = RefusedError(404, text, "OBJECT_NOT_FOUND", **more)
                        errors.append(error.in_batch(fromObjectId=[id_]) | more)
                return SandboxResponse(207 if errors else 200, self._batches.answer(results, errors))
            case ("POST", ["batch", "associate", "default"]):
                pairs = [
                    self._ends(from_, to, str(item["from"]["id"]), item["to"]) for item in request.json()["inputs"]
                ]
                for id_, to_id in pairs:
                    self._records.link(from_, id_, to, to_id)
                return SandboxResponse(200, self._batches.answer([_spec(from_, to, *pair) for pair in pairs]))
            case ("POST", ["batch", "create"]):
                return self._create(request.json()["inputs"], from_, to)
            case ("POST", ["batch", "archive"]):
                for item in request.json()["inputs"]:
                    for target in item["to"]:
                        self._records.unlink(from_, str(item["from"]["id"]), to, str(target["id"]))
                return SandboxResponse(204)
        raise not_found("no such endpoint")

    def _ends(self, from_: str, to: str, id_: str, target: dict[str, Any]) -> tuple[str, str]:
        return self._records.linkable(from_, id_), self._records.linkable(to, str(target["id"]))

    def _create(self, inputs: list[dict[str, Any]], from_: str, to: str) -> SandboxResponse:
        results = []
        for item in inputs:
            types = [int(one["associationTypeId"]) for one in item["types"]]
            if not types or not set(types) <= set(ASSOCIATIONS[(from_, to)]):
                raise RefusedError(400, f"Association types {types} are not valid from {from_} to {to}")
            id_, to_id = self._ends(from_, to, str(item["from"]["id"]), item["to"])
            self._records.link(from_, id_, to, to_id, types)
            ids = {"fromObjectId": id_, "toObjectId": to_id}
            results.append({**ids, "fromObjectTypeId": SINGULAR[from_], "toObjectTypeId": SINGULAR[to], "labels": []})
        return SandboxResponse(201, self._batches.answer(results))


def _spec(from_: str, to: str, id_: str, to_id: str) -> dict[str, Any]:
    spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": ASSOCIATIONS[(from_, to)][0]}
    return {"from": {"id": id_}, "to": {"id": to_id}, "associationSpec": spec}


def _link(id_: str, types: list[int]) -> dict[str, Any]:
    labels = {type_: "Primary" if type_ in (1, 2, 5, 6) else None for type_ in types}
    specs = [{"category": "HUBSPOT_DEFINED", "typeId": type_, "label": label} for type_, label in labels.items()]
    return {"toObjectId": int(id_), "associationTypes": specs}
