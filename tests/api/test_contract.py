# SPDX-License-Identifier: Apache-2.0
"""The build refuses a contract that is not whole, and says where it is not."""

import json
import pathlib
import subprocess

import pytest
from conftest import BUILD, ROOT

WHOLE = '''// A contract.
syntax = "proto3";
package ioasid.test.v1;
import "google/api/annotations.proto";
import "google/protobuf/any.proto";
import "ioasid/v1/options.proto";
// A service.
service S {
  // A method. Errors: device.busy.
  rpc M(Q) returns (A) {
    option (google.api.http) = { get: "/{name=things/*}" };
    option (ioasid.v1.permission) = "thing.view";
  }
  // Another.
  rpc N(Q) returns (A) {
    option (google.api.http) = { post: "/{name=things/*}" body: "*" };
    option (ioasid.v1.permission) = "thing.view";
  }
}
// A request.
message Q {
  // A field.
  string name = 1;
}
// An answer.
message A {
  // A field.
  E e = 1;
  // One of.
  oneof some {
    // B.
    bool b = 2;
  }
  // An enum.
  enum E {
    // None.
    NONE = 0;
  }
}
'''

# What is changed, into what, on which line that is complained about, and how.
BROKEN = [
    ('    option (google.api.http) = { get: "/{name=things/*}" };\n', '', 10,
     "ioasid.test.v1.S/M has no route"),
    ('body: "*" };\n    option (ioasid.v1.permission) = "thing.view";',
     'body: "*" };', 15, "S/N needs no permission"),
    ('post: "/{name=things/*}" body: "*"', 'get: "/{name=*}/{other}"', 15,
     "{other} is no single value"),
    ('post: "/{name=things/*}" body: "*"', 'get: "/things/special"', 15,
     "GET /things/special is a route of ioasid.test.v1.S/M too"),
    ('body: "*"', 'body: "nope"', 15, "body is no field"),
    ('get: "/{name=things/*}"', 'get: "/{name=**}"', 10, "**"),
    ('get: "/{name=things/*}"', 'get: "/{name=things/*"', 10, "does not end"),
    ('get: "/{name=things/*}"', 'get: "/{name=things/*}" body: "*"', 10,
     "a GET has no body"),
    ('  // A method. Errors: device.busy.\n', '\n', 10, "S/M has no comment"),
    ('// A service.\n', '\n', 8, "S has no comment"),
    ('// A request.\n', '\n', 21, "Q has no comment"),
    ('  // A field.\n  string', '\n  string', 23, "Q.name has no comment"),
    ('    // B.\n', '\n', 32, "A.b has no comment"),
    ('  // One of.\n', '\n', 30, "A.some has no comment"),
    ('  // An enum.\n', '\n', 35, "A.E has no comment"),
    ('    // None.\n', '\n', 37, "A.E.NONE has no comment"),
    ('  E e = 1;', '  A e = 1;', 26, "A can contain itself"),
    ('  E e = 1;', '  map<string, A> e = 1;', 26, "A can contain itself"),
    ('  E e = 1;', '  google.protobuf.Any e = 1;', 28, "JSON is not known"),
    ('  E e = 1;', '  optional E e = 1;', 28, "is optional"),
    ('    bool b = 2;', '    bool b = 2 [json_name = "e"];', 32, "same name"),
]


def tables(folder: pathlib.Path, source: str,
           want: str = "methods") -> subprocess.CompletedProcess:
    """Run protoc and schema-tables on a contract of one file."""
    (folder / "c.proto").write_text(source)
    subprocess.run(
        ["protoc", f"-I{folder}", f"-I{ROOT}/schema", "-I/usr/include",
         "--include_imports", "--include_source_info",
         "--experimental_allow_proto3_optional",
         f"--descriptor_set_out={folder}/c.fds", "c.proto"], check=True,
        capture_output=True)
    return subprocess.run(
        [BUILD / "schema-tables", folder / "c.fds", "ioasid.test.v1",
         "folder", want], capture_output=True, text=True, check=False)


def test_a_whole_contract_is_taken(tmp_path: pathlib.Path) -> None:
    """Both as tables and as OpenAPI."""
    for want in ("methods", "openapi"):
        done = tables(tmp_path, WHOLE, want)
        assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["paths"]["/things/{thing}"]["get"]


@pytest.mark.parametrize("old,new,line,words", BROKEN)
def test_what_is_missing_is_named_with_its_line(
        tmp_path: pathlib.Path, old: str, new: str, line: int,
        words: str) -> None:
    """The complaint is one that an editor can jump to."""
    assert WHOLE.count(old) == 1
    done = tables(tmp_path, WHOLE.replace(old, new))
    assert done.returncode == 1
    found = [one for one in done.stderr.splitlines() if words in one]
    assert found, done.stderr
    assert found[0].startswith(f"folder/c.proto:{line}: "), done.stderr


def test_an_error_that_the_catalogue_lacks_is_named(
        tmp_path: pathlib.Path) -> None:
    """Only the document needs it."""
    done = tables(tmp_path, WHOLE.replace("device.busy", "device.lazy"),
                  "openapi")
    assert done.returncode == 1
    assert "no error 'device.lazy'" in done.stderr


def references(node: object) -> list[str]:
    """Every $ref in a document."""
    if isinstance(node, dict):
        return [value for key, value in node.items() if key == "$ref"] + \
            [ref for value in node.values() for ref in references(value)]
    if isinstance(node, list):
        return [ref for value in node for ref in references(value)]
    return []


def test_the_openapi_document_has_every_method_and_holds_together() -> None:
    """Each reference is there; each method has its path, errors, permission."""
    document = json.loads((ROOT / "schema" / "openapi.json").read_text())
    schemas = document["components"]["schemas"]
    for ref in references(document):
        assert ref.removeprefix("#/components/schemas/") in schemas
    found = {}
    for path, verbs in document["paths"].items():
        for verb, method in verbs.items():
            assert method["description"]
            for status, response in method["responses"].items():
                kind = "application/problem+json" if status != "200" else \
                    "text/event-stream" if path == "/v1/events" else \
                    "application/json"
                assert response["description"]
                assert list(response["content"]) == [kind]
            names = [p["name"] for p in method.get("parameters", [])
                     if p["in"] == "path"]
            assert all(f"{{{name}}}" in path for name in names)
            if method["tags"] != ["Health"]:
                assert method["x-permission"]
                found[method["x-grpc-method"]] = f"{verb} {path}"
    sources = "".join(one.read_text() for one in
                      (ROOT / "schema/ioasid/v1").glob("*.proto"))
    assert len(found) == sources.count("  rpc ")
    assert found["ioasid.v1.Leases/ClaimLease"] == \
        "post /v1/leases/{lease}:claim"


def headers_of(document: dict, path: str, verb: str) -> list[str]:
    """The headers that a method's request may have."""
    return [p["name"] for p in document["paths"][path][verb]["parameters"]
            if p["in"] == "header"]


def test_headers_are_documented_where_they_mean_something() -> None:
    """By the fields of requests and replies."""
    document = json.loads((ROOT / "schema" / "openapi.json").read_text())
    assert headers_of(document, "/v1/devices/{device}:prepare", "post") == \
        ["Idempotency-Key", "If-Match"]
    assert headers_of(document, "/v1/leases", "get") == []
    assert headers_of(document, "/v1/events", "get") == ["Last-Event-ID"]
    get = document["paths"]["/v1/devices/{device}"]["get"]["responses"]
    assert list(get["200"]["headers"]) == ["ETag"]
    listed = document["paths"]["/v1/devices"]["get"]["responses"]
    assert "headers" not in listed["200"]


def validate(clients: pathlib.Path, document: pathlib.Path) -> bool:
    """What @seriousme/openapi-schema-validator says of a document."""
    done = subprocess.run(
        ["node", clients / "node_modules/@seriousme/openapi-schema-validator"
         / "bin/validate-api-cli.js", document],
        capture_output=True, text=True, check=False, timeout=60)
    print(done.stdout + done.stderr)
    return json.loads(done.stdout)["valid"]


def test_the_openapi_document_is_valid(clients: pathlib.Path,
                                       tmp_path: pathlib.Path) -> None:
    """By a validator that is not ours, which knows a broken one."""
    ours = ROOT / "schema" / "openapi.json"
    assert validate(clients, ours)
    broken = json.loads(ours.read_text())
    del broken["paths"]["/version"]["get"]["responses"]["200"]["description"]
    (tmp_path / "broken.json").write_text(json.dumps(broken))
    assert not validate(clients, tmp_path / "broken.json")
