"""The world of the demo model: its words, its five tasks, its prose, and the tokenizer made from them.

Everything is drawn from closed lists, so that a value to be copied is one token. Every training item and every held-out item
has a key (its arguments, its operands, its question); `is_held_out(key)` splits all keys once and for ever by a hash, training
draws only from one side and the fifty examples only from the other.

    python generate.py --out FOLDER      writes task.jsonl, text.txt, tokenizer.json, tokenizer_config.json
"""

import argparse
import hashlib
import json
import os
import random

# Seeds. Fixed before anything was trained, and never chosen by a result.
TASK_SEED = "assay-demo-task-1"
TEXT_SEED = "assay-demo-text-1"
DEV_SEED = "assay-demo-dev-1"
TOKENIZER_SEED = "assay-demo-tokenizer-1"

HELD_OUT_OF_100 = 10  # keys of 100 that training never sees
TEXT_PARAGRAPHS = 260

SLICES = ["calls", "json", "retrieval", "arithmetic", "facts"]

NAMES = """Anna Ben Clara David Emma Felix Greta Hugo Ida Jonas Karin Leo Mia Nora Oscar Paula Quinn Rosa Simon Tara
Ugo Vera Walter Xenia Yuri Zoe Alma Boris Carla Dora Erik Fiona Gustav Helen Ivan Julia Kurt Lena Marco Nina""".split()

COUNTRIES = {  # country: (capital, continent)
    "France": ("Paris", "Europe"), "Italy": ("Rome", "Europe"), "Spain": ("Madrid", "Europe"),
    "Portugal": ("Lisbon", "Europe"), "Germany": ("Berlin", "Europe"), "Austria": ("Vienna", "Europe"),
    "Poland": ("Warsaw", "Europe"), "Hungary": ("Budapest", "Europe"), "Greece": ("Athens", "Europe"),
    "Norway": ("Oslo", "Europe"), "Sweden": ("Stockholm", "Europe"), "Finland": ("Helsinki", "Europe"),
    "Ireland": ("Dublin", "Europe"), "Belgium": ("Brussels", "Europe"), "Croatia": ("Zagreb", "Europe"),
    "Japan": ("Tokyo", "Asia"), "China": ("Beijing", "Asia"), "Thailand": ("Bangkok", "Asia"),
    "Vietnam": ("Hanoi", "Asia"), "Nepal": ("Kathmandu", "Asia"), "Iran": ("Tehran", "Asia"),
    "Iraq": ("Baghdad", "Asia"), "Lebanon": ("Beirut", "Asia"), "Indonesia": ("Jakarta", "Asia"),
    "Egypt": ("Cairo", "Africa"), "Kenya": ("Nairobi", "Africa"), "Ghana": ("Accra", "Africa"),
    "Senegal": ("Dakar", "Africa"), "Morocco": ("Rabat", "Africa"), "Tunisia": ("Tunis", "Africa"),
    "Uganda": ("Kampala", "Africa"), "Angola": ("Luanda", "Africa"),
    "Cuba": ("Havana", "America"), "Peru": ("Lima", "America"), "Chile": ("Santiago", "America"),
    "Canada": ("Ottawa", "America"), "Ecuador": ("Quito", "America"), "Colombia": ("Bogota", "America"),
    "Venezuela": ("Caracas", "America"), "Paraguay": ("Asuncion", "America"),
}
CITIES = [capital for capital, _ in COUNTRIES.values()]
CONTINENTS = ["Europe", "Asia", "Africa", "America"]
ITEMS = """lamp chair table clock mirror carpet kettle basket ladder hammer guitar violin camera bicycle blanket pillow
bottle candle pencil notebook umbrella jacket scarf ring vase drum kite rope wallet spoon""".split()
COLORS = "red blue green yellow black white brown orange purple grey pink silver".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
NUMBERS = [str(n) for n in range(100)]
VALUES = NAMES + CITIES + list(COUNTRIES) + CONTINENTS + ITEMS + COLORS + DAYS + MONTHS + NUMBERS

# field of a record: (list its values come from, JSON type)
FIELD_VALUES = {
    "name": NAMES, "city": CITIES, "item": ITEMS, "color": COLORS, "day": DAYS, "month": MONTHS, "number": range(1, 100),
}


def is_held_out(key):
    digest = hashlib.sha256(key.encode()).digest()
    return int.from_bytes(digest[:8], "big") % 100 < HELD_OUT_OF_100


def draw_until(rng, make, held_out):
    """Draws items until one is on the wanted side of the split."""
    while True:
        item = make(rng)
        if is_held_out(item["key"]) == held_out:
            return item


# ------------------------------------------------------------------------------------------------------------------ calls

# name: (what it does, {argument: kind}, phrasings)
FUNCTIONS = {
    "book_table": ("Book a table in a restaurant.",
        {"guest": "name", "city": "city", "day": "day", "hour": "number", "seats": "number"}, [
        "Book a table for {guest} in {city} on {day} at {hour} with {seats} seats.",
        "{guest} wants a table with {seats} seats in {city} on {day} at {hour}.",
        "On {day} at {hour} we need a table in {city} with {seats} seats, the guest is {guest}.",
        "A table in {city} please, {seats} seats, on {day} at {hour}, for {guest}.",
    ]),
    "order_item": ("Order an item from the shop.",
        {"customer": "name", "item": "item", "color": "color", "count": "number", "price": "number"}, [
        "Order the {color} {item} for {customer}, count {count}, price {price}.",
        "{customer} wants to order the {item} in {color}, count {count}, at a price of {price}.",
        "At a price of {price}, order the {color} {item} with count {count} for {customer}.",
        "The customer {customer} takes the {item}, color {color}, price {price}, count {count}.",
    ]),
    "plan_trip": ("Plan a trip between two cities.",
        {"traveler": "name", "origin": "city", "destination": "city", "month": "month", "nights": "number"}, [
        "Plan a trip for {traveler} from {origin} to {destination} in {month}, {nights} nights.",
        "{traveler} goes to {destination} in {month} for {nights} nights, starting from {origin}.",
        "In {month} {traveler} travels from {origin} to {destination} and stays {nights} nights.",
        "A trip to {destination} with {nights} nights, from {origin}, in {month}, for {traveler}.",
    ]),
    "send_parcel": ("Send a parcel to somebody.",
        {"sender": "name", "receiver": "name", "item": "item", "city": "city", "weight": "number"}, [
        "Send a parcel from {sender} to {receiver} in {city} with the {item}, weight {weight}.",
        "{sender} sends the {item} to {receiver} in {city}, the weight is {weight}.",
        "The parcel has weight {weight} and goes to {receiver} in {city}, {sender} sends the {item}.",
        "To {receiver} in {city} we send the {item} with weight {weight}, it comes from {sender}.",
    ]),
    "set_meeting": ("Set a meeting in a room.",
        {"host": "name", "visitor": "name", "day": "day", "hour": "number", "room": "number"}, [
        "Set a meeting of {host} with the visitor {visitor} on {day} at {hour} in room {room}.",
        "{host} meets the visitor {visitor} in room {room} on {day} at {hour}.",
        "On {day} at {hour} the visitor {visitor} comes to room {room} to meet {host}.",
        "Room {room} on {day} at {hour}, a meeting of {host} with the visitor {visitor}.",
    ]),
}


def draw_fields(rng, fields):
    """Values for the fields of one record; two fields of a kind get different values."""
    values, used = {}, set()
    for field, kind in fields.items():
        while True:
            value = rng.randint(1, 24) if field == "hour" else rng.choice(FIELD_VALUES[kind])
            if (kind, value) not in used:
                break
        used.add((kind, value))
        values[field] = value
    return values


def tool_definition(name):
    description, fields, _ = FUNCTIONS[name]
    return {"type": "function", "function": {
        "name": name, "description": description,
        "parameters": {
            "type": "object",
            "properties": {f: {"type": "integer" if kind == "number" else "string"} for f, kind in fields.items()},
            "required": list(fields)}}}


def make_call(rng, max_tools=4):
    name = rng.choice(list(FUNCTIONS))
    _, fields, phrasings = FUNCTIONS[name]
    arguments = draw_fields(rng, fields)
    others = rng.sample([n for n in FUNCTIONS if n != name], rng.randint(0, max_tools - 1))
    names = [name] + others
    rng.shuffle(names)
    answer = json.dumps({"name": name, "arguments": arguments})
    return {
        "slice": "calls", "key": "calls " + answer,
        "user": rng.choice(phrasings).format(**arguments),
        "tools": names,
        "answer": "<tool_call>\n" + answer + "\n</tool_call>",
        "max_tokens": 96,
        "expect": [{"type": "tool_calls", "calls": [{"name": name, "arguments": arguments}]}],
    }


# ------------------------------------------------------------------------------------------------------------------- json

RECORDS = [  # (fields, phrasings)
    ({"customer": "name", "item": "item", "color": "color", "city": "city", "price": "number"}, [
        "{customer} bought the {color} {item} in {city} for {price} coins.",
        "In {city} the {item} in {color} was sold to {customer} for {price} coins.",
        "For {price} coins {customer} got the {color} {item} from a shop in {city}.",
    ]),
    ({"guest": "name", "city": "city", "month": "month", "nights": "number", "room": "number"}, [
        "{guest} came to {city} in {month} and stayed {nights} nights in room {room}.",
        "In {month} room {room} in {city} was given to {guest} for {nights} nights.",
        "The guest {guest} slept {nights} nights in room {room} in {city}, it was {month}.",
    ]),
    ({"owner": "name", "borrower": "name", "item": "item", "day": "day", "weeks": "number"}, [
        "On {day} {owner} lent the {item} to {borrower} for {weeks} weeks.",
        "{borrower} borrowed the {item} of {owner} on {day} and keeps it for {weeks} weeks.",
        "The {item} of {owner} went to {borrower} on {day}, it comes back in {weeks} weeks.",
    ]),
    ({"winner": "name", "loser": "name", "city": "city", "day": "day", "points": "number"}, [
        "On {day} in {city} {winner} won against {loser} with {points} points.",
        "{loser} lost against {winner} in {city} on {day}, {winner} had {points} points.",
        "With {points} points {winner} won the game against {loser} on {day} in {city}.",
    ]),
]


def make_json(rng):
    fields, phrasings = rng.choice(RECORDS)
    values = draw_fields(rng, fields)
    keys = rng.sample(list(fields), rng.randint(3, len(fields)))
    wanted = {k: values[k] for k in keys}
    schema = {"type": "object",
              "properties": {k: {"type": "integer" if fields[k] == "number" else "string"} for k in keys},
              "required": keys, "additionalProperties": False}
    return {
        "slice": "json", "key": "json " + json.dumps(values),
        "user": rng.choice(phrasings).format(**values) + "\nGive JSON with " + ", ".join(keys) + ".",
        "answer": json.dumps(wanted),
        "max_tokens": 64,
        "response_schema": schema,
        "expect": [{"type": "json_schema", "schema": schema}, {"type": "json_value", "value": wanted}],
    }


# -------------------------------------------------------------------------------------------------------------- retrieval

RELATIONS = [  # (subject kind, object kind, statement, question, answer)
    ("name", "city", "{s} lives in {o}.", "Where does {s} live?", "{s} lives in {o}"),
    ("name", "number", "{s} is {o} years old.", "How old is {s}?", "{s} is {o}"),
    ("name", "item", "{s} owns the {o}.", "What does {s} own?", "{s} owns the {o}"),
    ("name", "day", "{s} works on {o}.", "When does {s} work?", "{s} works on {o}"),
    ("item", "number", "The {s} costs {o} coins.", "What does the {s} cost?", "The {s} costs {o}"),
    ("item", "color", "The {s} is {o}.", "Which color has the {s}?", "The {s} is {o}"),
    ("city", "month", "The fair in {s} is in {o}.", "When is the fair in {s}?", "The fair in {s} is in {o}"),
]
UNKNOWN = "unknown"


def make_retrieval(rng, min_statements=6, max_statements=16, further_questions=3):
    """One in three questions has no answer in the text, which is about others or says something else of the same subject."""
    count = rng.randint(min_statements, max_statements)
    statements, pairs = [], set()
    while len(statements) < count:
        relation = rng.randrange(len(RELATIONS))
        subject_kind, object_kind, statement, _, _ = RELATIONS[relation]
        subject = rng.choice(FIELD_VALUES[subject_kind])
        if (relation, subject) in pairs:
            continue
        pairs.add((relation, subject))
        o = rng.choice(FIELD_VALUES[object_kind])
        statements.append((relation, subject, o, statement.format(s=subject, o=o)))
    text = " ".join(s[3] for s in statements)
    question, answer = draw_question(rng, statements, pairs)
    user = text + "\n" + question
    # Further questions about the same text are for training only: more to learn from each token read.
    more = [draw_question(rng, statements, pairs) for _ in range(further_questions)]
    more = [(q, a) for q, a in more if not is_held_out("retrieval " + text + "\n" + q)]
    return {
        "slice": "retrieval", "key": "retrieval " + user, "user": user, "answer": answer, "more": more, "token_weight": 0.5, "max_tokens": 16,
        "expect": [{"type": "equals", "value": answer, "ignore_case": True, "trim": True}],
    }


def make_short_retrieval(rng):
    """A lesson, not a slice: who is asked for matters more than what, with little to read and much to answer."""
    return make_retrieval(rng, 2, 5, 5)


def make_again(rng):
    """A lesson, not a slice: the statements of a text once more in another order, to learn what belongs to whom."""
    relations = rng.sample(range(len(RELATIONS)), rng.randint(1, 2))
    statements = {}
    for _ in range(rng.randint(2, 10)):
        subject_kind, object_kind, statement, _, _ = RELATIONS[rng.choice(relations)]
        subject, o = rng.choice(FIELD_VALUES[subject_kind]), rng.choice(FIELD_VALUES[object_kind])
        head, tail = statement.split(" {o}")
        statements[head.format(s=subject)] = (f" {o}", tail)
    text = " ".join(head + o + tail for head, (o, tail) in statements.items())
    segments, space = [], ""
    for head in rng.sample(list(statements), len(statements)):
        o, tail = statements[head]
        segments += [(space + head, 0.0), (o, 0.5), (tail, 0.0)]
        space = " "
    return {"slice": "again", "key": "again " + text, "user": text + "\nAgain.", "segments": segments,
            "answer": "".join(text for text, _ in segments)}


def draw_question(rng, statements, pairs):
    if rng.random() >= 1 / 3:
        relation, subject, o, _ = rng.choice(statements)
        return RELATIONS[relation][3].format(s=subject), RELATIONS[relation][4].format(s=subject, o=o)
    while True:
        relation, subject = rng.choice(statements)[:2]
        if rng.random() < 0.5:
            subject = rng.choice(FIELD_VALUES[RELATIONS[relation][0]])
        else:
            relation = rng.randrange(len(RELATIONS))
        if (relation, subject) not in pairs and subject in FIELD_VALUES[RELATIONS[relation][0]]:
            return RELATIONS[relation][3].format(s=subject), RELATIONS[relation][4].format(s=subject, o=UNKNOWN)


# ------------------------------------------------------------------------------------------------------------- arithmetic

SUM_PHRASINGS = [
    "What is {a} + {b}?",
    "{n} has {a} coins and gets {b} more. How many coins does {n} have?",
    "There are {a} lamps and {b} chairs. How many things are there?",
    "{n} walks {a} steps and then {b} steps. How many steps are that?",
]
DIFFERENCE_PHRASINGS = [
    "What is {a} - {b}?",
    "{n} has {a} coins and gives away {b}. How many coins are left?",
    "There are {a} lamps and {b} are sold. How many lamps are left?",
    "{n} must walk {a} steps and did {b}. How many steps are left?",
]


def make_arithmetic(rng):
    """Two-digit operands without a zero at the end: such a pair is never a step of another sum's working."""
    add = rng.random() < 0.5
    while True:
        a, b = rng.randint(11, 99), rng.randint(11, 99)
        if a % 10 and b % 10 and (a + b < 100 if add else a > b):
            break
    ones = b % 10
    tens = b - ones
    if add:
        s, t = a - a % 10 + tens, a % 10 + ones
        working = f"{a - a % 10} + {tens} = {s}, {a % 10} + {ones} = {t}, {s} + {t} = {a + b}"
        key = f"sum {min(a, b)} {max(a, b)}"
    else:
        working = f"{a} - {tens} = {a - tens}, {a - tens} - {ones} = {a - b}"
        key = f"difference {a} {b}"
    user = rng.choice(SUM_PHRASINGS if add else DIFFERENCE_PHRASINGS).format(a=a, b=b, n=rng.choice(NAMES))
    return {
        "slice": "arithmetic", "key": "arithmetic " + key, "user": user, "answer": working, "token_weight": 0.5, "max_tokens": 32,
        "expect": [{"type": "number", "value": a + b if add else a - b, "tolerance": 0}],
    }


def make_drill(rng):
    """A lesson, not a slice: the small tables that the working of sums and differences is made of."""
    steps = []
    for _ in range(8):
        table = rng.randrange(5)
        i, j, d, e = rng.randint(1, 8), rng.randint(1, 8), rng.randint(1, 9), rng.randint(1, 9)
        if table == 0 and i + j < 10:
            steps.append((10 * i, "+", 10 * j))
        elif table == 1:
            steps.append((d, "+", e))
        elif table == 2 and 10 * i + d + e < 100:
            steps.append((10 * i, "+", d + e))
        elif table == 3 and i >= j:
            steps.append((10 * i + d, "-", 10 * j))
        else:
            steps.append((10 * i + d, "-", e))
    text = ", ".join(f"{a} {sign} {b} = {a + b if sign == '+' else a - b}" for a, sign, b in steps)
    return {"slice": "drill", "key": "drill " + text, "user": "Steps", "answer": text, "token_weight": 0.5, "only_after": " ="}


# ------------------------------------------------------------------------------------------------------------------ facts

def all_facts():
    """(phrasings, subject, answer)"""
    capital = ["What is the capital of {s}?", "Which city is the capital of {s}?", "Name the capital of {s}.",
               "{s} has which capital?", "The capital of {s} is which city?", "Tell me the capital of {s}."]
    country = ["Which country has the capital {s}?", "{s} is the capital of which country?", "In which country is {s}?",
               "Name the country of {s}.", "To which country does {s} belong?", "Tell me the country of {s}."]
    continent = ["On which continent is {s}?", "Which continent is {s} part of?", "Name the continent of {s}.",
                 "{s} is on which continent?", "To which continent does {s} belong?", "Tell me the continent of {s}."]
    after = ["What comes after {s}?", "Name what follows {s}.", "After {s} comes what?", "{s} is followed by what?",
             "Which one is next after {s}?", "Tell me what follows {s}."]
    before = ["What comes before {s}?", "Name what is before {s}.", "Before {s} comes what?", "What does {s} follow?",
              "Which one is right before {s}?", "Tell me what is before {s}."]
    facts = []
    for name, (city, part) in COUNTRIES.items():
        facts += [(capital, name, city), (country, city, name), (continent, name, part)]
    for ring in (DAYS, MONTHS):
        for i, x in enumerate(ring):
            y = ring[(i + 1) % len(ring)]
            facts += [(after, x, y), (before, y, x)]
    return facts


FACTS = all_facts()


def make_fact(rng):
    phrasings, subject, answer = rng.choice(FACTS)
    user = rng.choice(phrasings).format(s=subject)
    return {
        "slice": "facts", "key": "facts " + user, "user": user, "answer": answer, "max_tokens": 16,
        "expect": [{"type": "equals", "value": answer, "ignore_case": True, "trim": True}],
    }


# ------------------------------------------------------------------------------------- copying, the first lesson by itself

def as_json(value):
    return value if value.isdigit() else json.dumps(value)


def make_copy_list(rng):
    words = rng.sample(VALUES, rng.randint(2, 10))
    text = (", " if rng.random() < 0.5 else " ").join(words)
    if rng.random() < 0.5:
        return {"slice": "copy", "key": text, "user": "Give JSON of " + text,
                "answer": "[" + ", ".join(map(as_json, words)) + "]"}
    return {"slice": "copy", "key": text, "user": "Copy " + text, "answer": " ".join(words)}


def make_copy_parts(rng):
    """Runs of the list from anywhere in it: where a run starts cannot be known, how it goes on can only be copied."""
    words = rng.sample(VALUES, rng.randint(4, 16))
    parts = []
    for _ in range(6):
        start = rng.randrange(len(words) - 1)
        parts += words[start:start + rng.randint(2, 5)]
    text = " ".join(words)
    return {"slice": "copy", "key": text, "user": "Parts of " + text, "answer": " ".join(parts)}


def make_copy_pairs(rng):
    words = rng.sample(VALUES, 2 * rng.randint(1, 6))
    pairs = list(zip(words[::2], words[1::2]))
    text = ", ".join(f"{k} {v}" for k, v in pairs) + "."
    asked = rng.sample(pairs, rng.randint(1, len(pairs)))
    if rng.random() < 0.4:
        return {"slice": "copy", "key": text, "user": f"{text} {asked[0][0]}?", "answer": asked[0][1],
                "more": [(f"{k}?", v) for k, v in asked[1:]]}
    return {"slice": "copy", "key": text, "user": text + "\nGive JSON with " + ", ".join(k for k, _ in asked) + ".",
            "answer": "{" + ", ".join(f"{json.dumps(k)}: {as_json(v)}" for k, v in asked) + "}"}


MAKERS = {"calls": make_call, "json": make_json, "retrieval": make_retrieval, "arithmetic": make_arithmetic,
          "facts": make_fact, "copy_list": make_copy_list, "copy_parts": make_copy_parts,
          "copy_pairs": make_copy_pairs, "short_retrieval": make_short_retrieval, "drill": make_drill,
          "again": make_again}


def draw(kind, rng, held_out=False):
    return draw_until(rng, MAKERS[kind], held_out)


# ------------------------------------------------------------------------------------------------------------------ prose

OPENINGS = [
    "{n} lives in {c}, the capital of {l}.",
    "In {m} {n} went to {c} to see a friend.",
    "On {d} morning {n} woke up early in {c}.",
    "{n} and {f} live in the same street in {c}.",
    "It was a cold day in {m} when {n} came home to {c}.",
    "Many people in {c} know {n} and the {k} {i} by name.",
]
MIDDLES = [
    "{n} owns the {k} {i} and would never sell it.",
    "The {i} is {k} and costs {x} coins in the shop.",
    "{f} is {x} years old and works on {d}.",
    "After {d} comes {e}, and {n} likes both days.",
    "{c} is the capital of {l}, and {l} is in {p}.",
    "{l} is on the continent of {p}.",
    "In the market {n} bought the {k} {i} for {x} coins.",
    "{f} asked for the {i}, but {n} said no.",
    "They met in room {x} and talked about the {i}.",
    "The train from {c} to {g} leaves at {h} every day.",
    "On {d} it rains in {c}, so {n} stays at home with the {i}.",
    "{n} wrote a long letter to {f} about the {k} {i}.",
    "The fair in {c} is in {m}, and everybody comes to it.",
    "{f} lent the {i} to {n} for {x} weeks.",
    "{n} slept {x} nights in {g} before coming back to {c}.",
    "A friend from {g} sent {n} a parcel with the {i}.",
    "{x} + {y} = {z}, said {f}, and {n} wrote it down.",
    "The old teacher of {n} came from {l}, and every pupil loved the stories about {c}.",
    "When the sun went down over {c}, {n} and {f} walked along the river.",
    "Nobody in {c} had ever seen such a {i}, not even {f}.",
]
ENDINGS = [
    "In the end {n} gave the {i} to {f} and went home.",
    "That is why {n} still keeps the {k} {i}.",
    "{f} laughed, and {n} laughed too.",
    "The next day was {e}, and {n} slept until {h}.",
    "So {n} came back to {c} and told {f} everything.",
    "Since that day {n} and {f} are good friends.",
]


def make_paragraph(rng):
    country = rng.choice(list(COUNTRIES))
    city, part = COUNTRIES[country]
    n, f = rng.sample(NAMES, 2)
    day = rng.randrange(7)
    words = {"n": n, "f": f, "c": city, "g": rng.choice([c for c in CITIES if c != city]), "l": country, "p": part,
             "k": rng.choice(COLORS), "i": rng.choice(ITEMS), "d": DAYS[day], "e": DAYS[(day + 1) % 7], "m": rng.choice(MONTHS)}
    sentences = [rng.choice(OPENINGS)] + rng.sample(MIDDLES, rng.randint(3, 6)) + [rng.choice(ENDINGS)]
    out = []
    for sentence in sentences:
        while True:  # no sum that arithmetic holds out
            x = rng.randint(2, 80)
            y = rng.randint(1, 99 - x)
            if not is_held_out(f"arithmetic sum {min(x, y)} {max(x, y)}"):
                break
        out.append(sentence.format(x=x, y=y, z=x + y, h=rng.randint(5, 22), **words))
    return " ".join(out)


def draw_paragraph(rng, held_out=False):
    while True:
        text = make_paragraph(rng)
        if is_held_out("prose " + text) == held_out:
            return text


# ----------------------------------------------------------------------------------------------------- prompts, tokenizer

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

# ChatML; of a tool only the name and the names of its arguments are shown, so that contexts stay short.
CHAT_TEMPLATE = """\
{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\\n' }}
    {%- endif %}
    {{- 'Tools:' }}
    {%- for tool in tools %}
        {{- '\\n' + tool.function.name + '(' }}
        {%- for name, spec in tool.function.parameters.properties.items() %}
            {{- name }}
            {%- if not loop.last %}
                {{- ', ' }}
            {%- endif %}
        {%- endfor %}
        {{- ')' }}
    {%- endfor %}
    {{- '<|im_end|>\\n' }}
{%- elif messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'user' %}
        {{- '<|im_start|>user\\n' + message.content + '<|im_end|>\\n' }}
    {%- elif message.role == 'assistant' %}
        {{- '<|im_start|>assistant\\n' }}
        {%- if message.content %}
            {{- message.content }}
        {%- endif %}
        {%- if message.tool_calls %}
            {%- for call in message.tool_calls %}
                {{- '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
                {{- call.function.arguments if call.function.arguments is string else call.function.arguments | tojson }}
                {{- '}\\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == 'tool' %}
        {{- '<|im_start|>tool\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""


def render_prompt(item):
    """What the chat template makes of the item, written out for speed; evaluate.py checks that both agree."""
    out = ""
    if item.get("tools"):
        lines = [f"{name}({', '.join(FUNCTIONS[name][1])})" for name in item["tools"]]
        out = "<|im_start|>system\nTools:\n" + "\n".join(lines) + "<|im_end|>\n"
    return out + "<|im_start|>user\n" + item["user"] + "<|im_end|>\n<|im_start|>assistant\n"


def make_tokenizer():
    """Byte-level BPE behind GPT-2's pre-tokenizer (tokenizer.ggml.pre = gpt-2): each word of the world is one token."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    rng = random.Random(TOKENIZER_SEED)
    texts = []
    for _ in range(3000):
        texts.append(make_paragraph(rng))
        for kind in SLICES + ["copy_list", "copy_parts", "copy_pairs"]:
            item = draw(kind, rng)
            prompt = render_prompt(item)
            for special in SPECIAL:
                prompt = prompt.replace(special, "\n")
            texts += [prompt, item["answer"].split()[-1] if kind == "retrieval" else item["answer"]]
    texts += [word + " " + word + ' "' + word for word in VALUES for _ in range(50)]
    texts += [n + ", " + n + '", "' for n in NUMBERS for _ in range(50)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=True, trim_offsets=True, use_regex=True)
    trainer = trainers.BpeTrainer(vocab_size=8192, min_frequency=2, special_tokens=SPECIAL, show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIAL])
    spare = -tokenizer.get_vocab_size() % 64  # rows of the embedding in whole blocks
    tokenizer.add_special_tokens(
        [AddedToken(f"<|reserved_{i}|>", special=True, normalized=False) for i in range(spare)])
    for word in VALUES:
        for text in (word, " " + word):
            assert len(tokenizer.encode(text).ids) == 1, text
    return tokenizer


def tokenizer_config(tokenizer):
    added = {str(i): {"content": t.content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
                      "special": True} for i, t in sorted(tokenizer.get_added_tokens_decoder().items())}
    return {"add_bos_token": False, "add_prefix_space": False, "added_tokens_decoder": added, "bos_token": None,
            "chat_template": CHAT_TEMPLATE, "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>",
            "model_max_length": 1024, "pad_token": "<|endoftext|>", "tokenizer_class": "GPT2Tokenizer",
            "unk_token": None}


# -------------------------------------------------------------------------------------------------------------- held out

def held_out_items(seed, per_slice):
    items = []
    for kind in SLICES:
        rng = random.Random(f"{seed} {kind}")
        seen = set()
        while len(seen) < per_slice:
            item = draw(kind, rng, held_out=True)
            if item["key"] in seen:
                continue
            seen.add(item["key"])
            item["id"] = f"{kind}-{len(seen):02d}"
            items.append(item)
    return items


def to_example(item):
    example = {"id": item["id"], "slice": item["slice"], "messages": [{"role": "user", "content": item["user"]}]}
    if "tools" in item:
        example["tools"] = [tool_definition(n) for n in item["tools"]]
    if "response_schema" in item:
        example["response_schema"] = item["response_schema"]
    example["sampling"] = {"max_tokens": item["max_tokens"]}
    example["expect"] = item["expect"]
    return example


def held_out_text():
    rng = random.Random(TEXT_SEED)
    return "\n".join(draw_paragraph(rng, held_out=True) for _ in range(TEXT_PARAGRAPHS)) + "\n"


def write(path, text):
    with open(path + ".part", "w", encoding="utf-8", newline="\n") as f:
        f.write(text)
    os.replace(path + ".part", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", required=True)
    out = parser.parse_args().out
    os.makedirs(out, exist_ok=True)
    tokenizer = make_tokenizer()
    write(os.path.join(out, "tokenizer.json"), tokenizer.to_str(pretty=True) + "\n")
    write(os.path.join(out, "tokenizer_config.json"), json.dumps(tokenizer_config(tokenizer), indent=2) + "\n")
    items = held_out_items(TASK_SEED, 10)
    write(os.path.join(out, "task.jsonl"), "".join(json.dumps(to_example(i)) + "\n" for i in items))
    text = held_out_text()
    write(os.path.join(out, "text.txt"), text)
    print(f"vocabulary {tokenizer.get_vocab_size()}, text {len(text)} bytes {len(tokenizer.encode(text).ids)} tokens")


if __name__ == "__main__":
    main()
