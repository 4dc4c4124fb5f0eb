# SPDX-License-Identifier: Apache-2.0
"""Our JSON and that of Google's json_format say the same, or it is listed.

The differences that are meant are in schema/README.md; DIFFERENCES has one text
of each at least, so that the list stays true.
"""

import base64
import importlib
import json
import os
import pkgutil
import random

import everything_pb2  # noqa: F401  (registers its messages)
import pytest
from google.protobuf import json_format, symbol_database
from google.protobuf.descriptor import FieldDescriptor as Field
from google.protobuf.message import Message
import ioasid.v1

SEED = int(os.environ.get("TRANSCODE_SEED", random.randrange(2 ** 32)))
LONG = os.environ.get("IOASID_LONG") == "1"
ROUNDS = 10_000 if LONG else 2_000
EACH = 50
EVERYTHING = "ioasid.test.v1.Everything"
CLASSES = symbol_database.Default()
for one in pkgutil.iter_modules(ioasid.v1.__path__, "ioasid.v1."):
    importlib.import_module(one.name)

WHOLE = {
    Field.TYPE_INT32: (-2 ** 31, 2 ** 31 - 1),
    Field.TYPE_SINT32: (-2 ** 31, 2 ** 31 - 1),
    Field.TYPE_SFIXED32: (-2 ** 31, 2 ** 31 - 1),
    Field.TYPE_UINT32: (0, 2 ** 32 - 1),
    Field.TYPE_FIXED32: (0, 2 ** 32 - 1),
    Field.TYPE_INT64: (-2 ** 63, 2 ** 63 - 1),
    Field.TYPE_SINT64: (-2 ** 63, 2 ** 63 - 1),
    Field.TYPE_SFIXED64: (-2 ** 63, 2 ** 63 - 1),
    Field.TYPE_UINT64: (0, 2 ** 64 - 1),
    Field.TYPE_FIXED64: (0, 2 ** 64 - 1),
}
PIECES = ["a", "ß", "\u2028", "😀", '"', "\\", "/", "\n", "\t", "\x01", "\x7f",
          "\u0800", "\ufffd", "<", "&", " "]


def text(chance: random.Random) -> str:
    """A string with what is hard to quote in it."""
    return "".join(chance.choice(PIECES)
                   for _ in range(chance.randint(0, 12)))


def whole(chance: random.Random, low: int, high: int) -> int:
    """A whole number, often at the edge of what fits."""
    edges = [low, high, 0, 1, low + 1, high - 1, min(high, 2 ** 53 + 1)]
    return chance.choice(edges) if chance.random() < 0.5 \
        else chance.randint(low, high)


def real(chance: random.Random, single: bool) -> float:
    """A number with a point; never -0, which protobuf-c does not send."""
    specials = [float("nan"), float("inf"), float("-inf"), 0.1, 1e-30, 1e30,
                1.5, 16777217.0, 5e-324 if not single else 1e-45]
    return chance.choice(specials) if chance.random() < 0.4 \
        else chance.uniform(-1e6, 1e6) or 1.0


def fill_time(chance: random.Random, message: Message) -> None:
    """A Timestamp or Duration that JSON can write."""
    nanos = chance.choice([0, 1, 5_000_000, 7_000, 999_999_999,
                           chance.randrange(10 ** 9)])
    if message.DESCRIPTOR.name == "Timestamp":
        message.seconds = whole(chance, -62135596800, 253402300799)
        message.nanos = nanos
        return
    message.seconds = whole(chance, -315575999999, 315575999999)
    message.nanos = -nanos if message.seconds < 0 else nanos


def scalar(chance: random.Random, field: Field) -> object:
    """A value of a field that is no message."""
    if field.type in WHOLE:
        return whole(chance, *WHOLE[field.type])
    if field.type == Field.TYPE_BOOL:
        return chance.random() < 0.5
    if field.type == Field.TYPE_ENUM:
        return chance.choice(field.enum_type.values).number
    if field.type == Field.TYPE_STRING:
        return text(chance)
    if field.type == Field.TYPE_BYTES:
        return chance.randbytes(chance.randint(0, 9))
    return real(chance, field.type == Field.TYPE_FLOAT)


def fill_map(chance: random.Random, target: object, field: Field) -> None:
    """A few entries."""
    key, value = field.message_type.fields
    for _ in range(chance.randint(0, 3)):
        name = scalar(chance, key)
        if value.message_type:
            fill(chance, target[name])
        else:
            target[name] = scalar(chance, value)


def fill(chance: random.Random, message: Message) -> None:
    """Set about half of the fields of a message."""
    if message.DESCRIPTOR.full_name.startswith("google.protobuf."):
        fill_time(chance, message)
        return
    for field in message.DESCRIPTOR.fields:
        if chance.random() < 0.4:
            continue
        value = getattr(message, field.name)
        if field.message_type and field.message_type.GetOptions().map_entry:
            fill_map(chance, value, field)
        elif field.label == Field.LABEL_REPEATED:
            for _ in range(chance.randint(0, 6)):
                if field.message_type:
                    fill(chance, value.add())
                else:
                    value.append(scalar(chance, field))
        elif field.message_type:
            value.SetInParent()
            fill(chance, value)
        else:
            setattr(message, field.name, scalar(chance, field))


def parse(type_name: str, words: str) -> Message:
    """What Google's reader makes of JSON."""
    return json_format.Parse(words, CLASSES.GetSymbol(type_name)())


def same(one: object, other: object) -> bool:
    """Is it the same JSON? Numbers with a point need not look alike."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and \
            all(same(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other \
        or isinstance(one, (int, float)) and not isinstance(one, bool) \
        and isinstance(other, (int, float)) and one == other


def canonical(message: Message) -> str:
    """A message as text that is the same for the same message, NaN too."""
    return json_format.MessageToJson(message, sort_keys=True)


def try_one(peer, type_name: str, message: Message) -> None:
    """One message, both ways, with and without defaults."""
    wire = message.SerializeToString()
    ours = peer.give(type_name, "write", wire).decode()
    theirs = json_format.MessageToJson(message)
    assert same(json.loads(ours), json.loads(theirs)), (ours, theirs)
    assert canonical(parse(type_name, ours)) == canonical(message)

    ours = peer.give(type_name, "write-all", wire).decode()
    full = json_format.MessageToJson(message,
                                     including_default_value_fields=True)
    assert same(json.loads(ours), json.loads(full)), (ours, full)

    back = CLASSES.GetSymbol(type_name)()
    for style in (theirs, ours, json_format.MessageToJson(
            message, preserving_proto_field_name=True)):
        back.ParseFromString(peer.give(type_name, "read", style.encode()))
        assert canonical(back) == canonical(message), style


@pytest.mark.limit(300)
@pytest.mark.slow
def test_random_messages_of_every_type_agree(peer) -> None:
    """Each type at least EACH times, ROUNDS in all."""
    print(f"TRANSCODE_SEED={SEED}")
    chance = random.Random(SEED)
    names = peer.ask("ioasid", "types").split()[1:] + \
        peer.ask("ioasid.test", "types").split()[1:]
    assert len(names) > 30
    rounds = max(EACH, -(-ROUNDS // len(names)))
    for name in names:
        for index in range(rounds):
            message = CLASSES.GetSymbol(name)()
            fill(chance, message)
            try:
                try_one(peer, name, message)
            except Exception as error:
                raise AssertionError(
                    f"TRANSCODE_SEED={SEED} {name} {index}") from error


# Texts that both read, and read alike.
ALIKE = [
    '{}', ' {\t"aBool" : true }\r\n', '{"a_bool":true}',
    '{"anInt32":1.0}', '{"anInt32":1e3}', '{"anInt32":-0}',
    '{"anInt32":"12"}', '{"anInt64":9007199254740993}',
    '{"aUint64":18446744073709551615}', '{"aUint64":1e19}',
    '{"anInt64":"-9223372036854775808"}', '{"aFloat":"1.5"}',
    '{"aDouble":1e-400}', '{"aDouble":"-Infinity"}', '{"aFloat":"NaN"}',
    '{"colour":"RED"}', '{"colour":1.0}', '{"colour":-3}', '{"colour":"1"}',
    '{"colour":"blue"}', '{"aBool":null,"strings":null,"nested":null}',
    '{"someBytes":"-_-_"}', '{"someBytes":"+/+/"}', '{"someBytes":"AA"}',
    '{"someBytes":"AA=="}', '{"someBytes":"-_"}',
    '{"aString":"\\ud83d\\ude00\\u00df\\/\\b"}',
    '{"time":"2026-01-31T12:00:00+01:30"}',
    '{"time":"2024-02-29T23:59:59.5-00:01"}',
    '{"time":"0001-01-01T00:00:00Z"}', '{"duration":"-0.5s"}',
    '{"duration":"3s"}', '{"duration":"1.000000001s"}',
    '{"choiceNumber":0}', '{"choiceText":null,"choiceNumber":1}',
    '{"byBool":{"true":"AA==","false":""}}', '{"byInt32":{"-1":{}}}',
    '{"theOddOne":"x"}', '{"odd_2_name":"x"}', '{"maybe":"0"}',
]

# Texts that neither reads, with a piece of what we say of them.
NEITHER = [
    ('', "no value"), ('{', "no string"),
    ('{"aBool":1}', "neither true"), ('{"aBool":"true"}', "neither true"),
    ('{"anInt32":1.5}', "no whole"), ('{"anInt32":true}', "boolean"),
    ('{"anInt32":2147483648}', "not within"), ('{"anInt32":""}', "no whole"),
    ('{"anInt32":"1 "}', "no whole"), ('{"anInt32":"0x10"}', "no whole"),
    ('{"anInt32":{}}', "object"), ('{"anInt32":[]}', "list"),
    ('{"anInt32":01}', "no number"), ('{"anInt32":+1}', "no value"),
    ('{"anInt32":1.}', "no number"), ('{"anInt32":.5}', "no value"),
    ('{"aUint32":-1}', "not within"),
    ('{"aUint64":18446744073709551616}', "not within"),
    ('{"aDouble":1e400}', "too large"), ('{"aFloat":1e39}', "too large"),
    ('{"aDouble":Inf}', "no value"),
    ('{"colour":"GREEN"}', "no value of"),
    ('{"aDouble":NaN}', "no value"), ('{"aDouble":Infinity}', "no value"),
    ('{"aString":"\\ud800"}', "surrogate"),
    ('{"aString":"\\udc00\\ud800"}', "surrogate"),
    ('{"strings":"x"}', "must be a list"), ('{"strings":[null]}', "null"),
    ('{"texts":[]}', "must be an object"), ('{"texts":{"a":null}}', "null"),
    ('{"nested":1}', "no string"), ('{"nested":{"nope":1}}', "nested.nope"),
    ('{"nope":1}', "field nope is unknown"),
    ('{"aBool":true,"aBool":true}', "twice"),
    ('{"texts":{"a":"1","\\u0061":"2"}}', "twice: a"),
    ('{"choiceText":"a","choiceNumber":1}', "second value of choice"),
    ('{"aString":"a', "does not end"), ('{"aString":"\\x"}', "unknown escape"),
    ('{"aString":"\\u12"}', "four digits"),
    ('{"aString":"\n"}', "control character"), ('{"aString":1}', "no string"),
    ('{"aBool":true,}', "no string"), ('{"aBool" true}', "no colon"),
    ('{"strings":["a" "b"]}', "no comma"), ('{} {}', "behind its end"),
    ('{"someBytes":"A"}', "no base64"),
    ('{"time":"2026-13-01T00:00:00Z"}', "no time"),
    ('{"time":"2026-02-29T00:00:00Z"}', "no time"),
    ('{"time":"2026-01-01T00:00:00"}', "no time"),
    ('{"time":"2026-01-01T00:00:00.0000000001Z"}', "no time"),
    ('{"time":"10000-01-01T00:00:00Z"}', "no time"),
    ('{"duration":"1"}', "no duration"),
    ('{"duration":"315576000001s"}', "out of range"),
    ('{"byBool":{"yes":""}}', "neither true"),
    ('{"byInt32":{"x":{}}}', "no whole"),
    ('{"nesteds":[{},{"deeper":{"leaves":{"k":{"numbers":[1,"x"]}}}}]}',
     'nesteds[1].deeper.leaves["k"].numbers[1]'),
    ('{"aBool":tru}', "unknown word"), ('{"aBool":nullx}', "unknown word"),
]

# Texts that Google's reader takes and ours does not: schema/README.md.
DIFFERENCES = [
    ('[]', "must be an object"), ('{"colour":1.5}', "no value of"),
    ('{"aBool":true,"a_bool":true}', "twice"),
    ('{"aString":"a\\u0000b"}', "NUL"), ('{"someBytes":"!!"}', "no base64"),
    ('{"someBytes":"AA="}', "no base64"), ('{"anInt32":"+1"}', "no whole"),
    ('{"anInt32":"01"}', "no whole"), ('{"anInt32":"1_0"}', "no whole"),
    ('{"colour":7}', "no value of"), ('{"aDouble":"inf"}', "no number"),
    ('{"aDouble":" 1"}', "no number"),
]

# Texts that ours takes and Google's reader does not.
OTHER_WAY = [
    '{"anInt32":"1e3"}', '{"anInt32":"1.0"}',
]


@pytest.mark.parametrize("words", ALIKE)
def test_both_read_it_alike(peer, words: str) -> None:
    """Whatever form the mapping allows."""
    ours = CLASSES.GetSymbol(EVERYTHING)()
    ours.ParseFromString(peer.give(EVERYTHING, "read", words.encode()))
    assert canonical(ours) == canonical(parse(EVERYTHING, words))


@pytest.mark.parametrize("words,why", NEITHER)
def test_neither_reads_it(peer, words: str, why: str) -> None:
    """What is refused says what and where."""
    assert why in peer.refusal(EVERYTHING, words)
    with pytest.raises(json_format.ParseError):
        parse(EVERYTHING, words)


@pytest.mark.parametrize("words,why", DIFFERENCES)
def test_only_google_reads_it(peer, words: str, why: str) -> None:
    """Stricter on purpose."""
    assert why in peer.refusal(EVERYTHING, words)
    parse(EVERYTHING, words)


@pytest.mark.parametrize("words", OTHER_WAY)
def test_only_we_read_it(peer, words: str) -> None:
    """The mapping allows it."""
    assert peer.refusal(EVERYTHING, words) == ""
    with pytest.raises(json_format.ParseError):
        parse(EVERYTHING, words)


def test_bytes_that_are_no_utf8_are_refused(peer) -> None:
    """In strings, keys and between them."""
    for data in (b'{"aString":"\xff"}', b'{"\xc0\xaf":1}', b'\xff{}',
                 b'{"aString":"\xed\xa0\x80"}', b'{"texts":{"\xf5":""}}',
                 b'\xef\xbb\xbf{}', b'{"aString":"a\x00"}', b'{}\x00'):
        assert peer.refusal(EVERYTHING, data).startswith("request.malformed")


def test_depth_is_cheap_and_refused(peer) -> None:
    """A quarter of a mebibyte of brackets goes no deeper than what is asked."""
    for data in ("[" * 262144, '{"a":' * 50000, '{"nesteds":' + "[" * 200000,
                 '{"nested":' * 20000):
        assert peer.refusal(EVERYTHING, data)


def test_many_keys_are_quick(peer) -> None:
    """40,000 keys of one map, the last of them twice."""
    keys = [f'"{i:x}":""' for i in range(20000)]
    assert peer.refusal(EVERYTHING, '{"texts":{' + ",".join(keys) + "}}") == ""
    assert "twice: 4e1f" in peer.refusal(
        EVERYTHING, '{"texts":{' + ",".join(keys + keys[-1:]) + "}}")


def damage(chance: random.Random, data: bytes) -> bytes:
    """The same, with one to four wounds."""
    tokens = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"null", b"1e9",
              b"-", b"\\ud800", b"\xff", b"\x00", b'"aBool":true', b"0.0"]
    out = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(out) + 1)
        wound = chance.randrange(5)
        if wound == 0:
            out[at:at] = chance.choice(tokens)
        elif wound == 1:
            del out[at:at + chance.randint(1, 9)]
        elif wound == 2 and out:
            out[at % len(out)] = chance.randrange(256)
        elif wound == 3:
            out[at:at] = out[at:at + chance.randint(1, 40)] * 3
        else:
            del out[at:]
    return bytes(out)


@pytest.mark.limit(300)
@pytest.mark.slow
def test_damaged_json_is_read_as_google_reads_it_or_refused(peer) -> None:
    """What we take, json_format takes too, and makes the same of it.

    In a sanitizer's build this is the fuzz test of the reader.
    """
    print(f"TRANSCODE_SEED={SEED}")
    chance = random.Random(SEED)
    taken = 0
    for _ in range(10 * ROUNDS // 4):
        message = CLASSES.GetSymbol(EVERYTHING)()
        fill(chance, message)
        data = damage(chance, json_format.MessageToJson(
            message, indent=None, ensure_ascii=False).encode())
        answer = peer.ask(EVERYTHING, "read", data)
        if not answer.startswith("ok"):
            assert answer.startswith(("no request.malformed ",
                                      "no request.invalid ")), answer
            continue
        taken += 1
        ours = CLASSES.GetSymbol(EVERYTHING)()
        ours.ParseFromString(bytes.fromhex(answer[3:].rstrip(".")))
        try:
            theirs = parse(EVERYTHING, data.decode())
        except json_format.ParseError as error:
            # "1.0" and "1e9", see OTHER_WAY.
            assert "invalid literal for int" in str(error), data
            continue
        # -0.0 is sent as nothing by protobuf-c.
        assert canonical(ours) == canonical(theirs).replace("-0.0", "0.0") \
            or b"-0" in data, data
    assert taken > 20


def test_an_empty_string_in_a_oneof_is_given(peer) -> None:
    """That it is, and not what it is, tells the choice."""
    answer = peer.ask(EVERYTHING, "read", b'{"choiceText": ""}')
    ours = CLASSES.GetSymbol(EVERYTHING)()
    ours.ParseFromString(bytes.fromhex(answer[3:].rstrip(".")))
    assert ours.WhichOneof("choice") == "choice_text"


def test_base64_of_every_length_comes_back(peer) -> None:
    """0 to 70 bytes."""
    for size in range(71):
        data = bytes(range(180, 180 + size))
        wire = CLASSES.GetSymbol(EVERYTHING)(
            some_bytes=data).SerializeToString()
        words = json.loads(peer.give(EVERYTHING, "write", wire))
        assert base64.b64decode(words.get("someBytes", "")) == data
