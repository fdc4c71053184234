"""Small templates, one per behaviour of the language (see jinja.py)."""

VARIABLES = {
    "n": 7,
    "z": 0,
    "neg": -7,
    "f": 2.5,
    "big": 1e22,
    "small": 1.5e-07,
    "t": True,
    "none_value": None,
    "s": "Hello World",
    "u": "Grüße ßtraße 世界 🙂",
    "pad": "  x y \n",
    "e": "",
    "html": "<a href=\"x\">'&'</a>",
    "l": [3, 1, 2],
    "words": ["pear", "Apple", "fig", "apple"],
    "mixed": [1, "a", None, 2.0, True, [1], {"k": "v"}],
    "d": {"b": 2, "a": 1, "C": 3, "items": "shadow", "x y": "space", "nested": {"deep": [10, {"q": "it's"}]}},
    "users": [
        {"name": "Bo", "age": 30, "tags": ["x"], "active": True},
        {"name": "al", "age": 25, "tags": [], "active": False},
        {"name": "Cy", "age": 30, "tags": ["x", "y"]},
    ],
    "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
}

# Printed one by one as {{ ... }}.
EXPRESSIONS = r"""
1 + 2 * 3
(1 + 2) * 3
7 // 2
-7 // 2
7 // -2
7 % 3
-7 % 3
7 % -3
7.5 // 2
-7.5 // 2
-7.5 % 2
7.5 % -2
5.0 % 0.1
2 ** 3 ** 2
2 ** -1
-2 ** 2
2 ** 0.5
10 / 4
10 / 5
1 / 0
1 // 0
1 % 0
1.5 / 0
7 / 2 * 2
0.1 + 0.2
1e16
1e15
123456789012345680.0
1e-4
1e-5
1.0
-0.0
1e300 * 1e10
-(1e300 * 1e10)
1_000 + 0x1F + 0b101 + 0o17
1.5e3
1_0.2_5
3 - -3
+5
-t
t + t
t * 3
not 1
not ''
1 == 1.0
1 == true
'1' == 1
none == none
none == false
[] == []
[1, 2] == (1, 2)
{'a': 1} == {'a': 1.0}
1 < 2 < 3
1 < 3 < 2
3 > 2 >= 2
1 == 1 != 2
1 < 'a'
none < 1
[1, 2] < [1, 3]
[1] < [1, 0]
'a' < 'b'
'B' < 'a'
'é' > 'z'
1 in [1, 2]
4 not in l
'ell' in s
'' in s
1 in s
'a' in d
'zz' in d
none in mixed
1 in none
1 in missing
'x' in 5
1 and 2
0 and 2
1 or 2
0 or ''
'' or none or 'x'
missing or 'd'
not missing
'a' if t else 'b'
'a' if z else 'b'
'a' if z
('a' if z) is defined
'a' if t if z else 'q'
1 if t else 2 if z else 3
'a' ~ 1 ~ none ~ true ~ 1.0
'a' + 'b' ~ 'c'
1 ~ 2 + 3
'a' + 1
1 + 'a'
'a' * 3
3 * 'ab'
'a' * -1
[1, 2] * 2
(1,) * 2
'a' * 'b'
[1] + [2]
(1,) + (2, 3)
[1] + (2,)
[1] - [1]
none + 1
missing + 1
1 - missing
-missing
missing
missing.x
missing['x']
missing[0]
missing()
n.x
n.x.y
none.x
none_value.foo is defined
d.missing is defined
d['missing']
d.b
d['b']
d['items']
d.items()
d.keys()
d.values()
d.get('a')
d.get('zz')
d.get('zz', 5)
d.get('zz', default=5)
d.get()
d['x y']
d.nested.deep[1].q
d.nested.deep.1.q
d.nested.deep.0
d.nested['deep'][-1]['q']
d.copy().a
d.update({'q': 1})
d.update is defined
d.pop
d.pop('a')
d.__class__
d.__class__.__name__
s.__len__
l.append(4)
l.append is defined
l.sort()
l.index(2)
l.index(9)
l.count(1)
l.copy()
l[0]
l[-1]
l[9]
l[9] is defined
l['0']
l['append'] is defined
l[1.0]
l[true]
l[1:]
l[:-1]
l[::-1]
l[::2]
l[5:]
l[-2:]
l[2:0:-1]
l[::0]
l['a':]
l[:none]
s[0]
s[-1]
s[1:5]
s[::-1]
s[99]
u[2:6]
u[::-1]
u[-1]
u[-3:]
none[1:]
d[1:]
n[0]
n[0:]
(1, 2, 3)[1]
(1, 2, 3)[1:]
range(5)[1:3]
range(10)[-1]
range(3)
range(2, 8, 2)
range(5)|list
range(5, 0, -2)|list
range(0)|list
range(3)|length
range(3)|join('-')
range(200000)|length
range(1, 2, 0)
2 in range(5)
()
(1,)
(1, 2)
1, 2
[]
{}
{'a': 1, 2: [none, true], 'c': {'d': 'e\'f'}}
{1: 'a', true: 'b', 1.0: 'c'}
{[1]: 2}
{(1, 2): 3}[1, 2]
'it\'s'
"it's"
['it\'s', "say \"hi\"", 'both \' and "']
['tab\t', 'nl\n', 'bs\\', '\x00\x7f\u00ad\u200b\u2028é世🙂']
'\u00e9\x41\101\e\é\N'
'a' 'b' "c"
mixed
messages
u
[u]
html
f
big
small
[0.1, 1e100, 1e-7, 100000.0, 1e22, 123456.789]
true
True
TRUE
none
None
loop
self
s|upper
s|lower
u|upper
u|lower
u|title
'ΑΣ ΣΑΣ.'|lower
s|title
"they're bill's friends-of (mine) [x] {y} <z>"|title
"they're bill's".title()
'hELLO wORLD'|capitalize
'ßa'|capitalize
pad|trim
pad|trim|length
'xxaxx'|trim('x')
pad.strip()
pad.lstrip() ~ '|'
pad.rstrip() ~ '|'
'xyzabcxy'.strip('yx')
'\u00a0 a \u3000'.strip()
'a,b,,c'.split(',')
'a,b,,c'.split(',', 1)
'a,b,,c'.rsplit(',', 1)
' a  b '.split()
' a  b c '.split(none, 1)
' a  b c '.rsplit(none, 1)
' a  b c '.split(maxsplit=1)
'abc'.split('')
''.split()
''.split(',')
'a\nb\r\nc\rd\x0be'.splitlines()
'a\nb\n'.splitlines(true)
s.startswith('He')
s.startswith(('x', 'H'))
s.startswith('W', 6)
s.endswith('ld')
s.endswith('x')
s.startswith(5)
s.replace('l', 'L')
s.replace('l', 'L', 2)
'abc'.replace('', '-')
'abc'.replace('', '-', 2)
s.find('o')
s.find('o', 5)
s.find('zz')
s.rfind('o')
u.find('世')
s.index('zz')
s.count('l')
'aaa'.count('aa')
'abc'.count('')
','.join(['a', 'b'])
','.join([1])
','.join('abc')
'%s and %d' % ('a', 5)
'%5.2f|%-5s|%05d|%+d|%x|%X|%o|%e|%g|%r|%%' % (3.14159, 'ab', 42, 5, 255, 255, 8, 12345.678, 0.0001, 'q')
'%s' % 'x'
'%s' % [1, 2]
'%(a)s-%(b)d' % {'a': 1, 'b': 2}
'%d' % 'x'
'%s %s' % ('a',)
'%s' % (1, 2)
'%c%c' % (65, 'b')
'%*d|%.*f' % (5, 42, 2, 1.005)
'%s' % missing
'%i%%' % 5.9
'{} {}'.format(1, 'a')
'{1} {0} {name}'.format(1, 2, name='n')
'{0[b]} {0.a} {1[0]}'.format(d, l)
'{:>5}|{:<5}|{:^5}|{:*^7}|{:05d}|{:+}|{:,}|{:.2f}|{:x}|{:#x}|{:b}|{:e}|{:%}'.format('a', 'b', 'c', 'd', 42, 5, 1234567, 3.14159, 255, 255, 5, 12345.6789, 0.25)
'{!r} {!s} {{}}'.format('a', 'b')
'{:{}}|{:.{}}'.format('a', 4, 'abcdef', 2)
'{:.3}|{:.3}|{:10.4}'.format(3.14159, 10.0, 2.5)
'{:d}'.format('x')
'{}'.format(none)
'{:>5}'.format(none)
'{x}'.format_map({'x': 1})
'{'.format()
'{5}'.format(1)
'{0.__class__}'.format(1)
'abc'.isdigit()
'123'.isdigit()
'١٢'.isdigit()
'²'.isdigit() ~ '²'.isdecimal() ~ '½'.isnumeric()
'abc'.isalpha()
'aé世'.isalpha()
'a1'.isalnum()
' \n'.isspace()
''.isspace()
'ABC'.isupper()
'Ab'.isupper()
'a1'.islower()
'Hello World'.istitle()
'abc'.isascii() ~ 'é'.isascii()
'a_1'.isidentifier() ~ '1a'.isidentifier()
'prefix-x'.removeprefix('prefix-')
'x.txt'.removesuffix('.txt')
'42'.zfill(5)
'-42'.zfill(5)
'ab'.ljust(5, '.') ~ 'ab'.rjust(5) ~ 'ab'.center(5, '*') ~ 'abc'.center(6, '*')
'a-b-c'.partition('-')
'a-b-c'.rpartition('-')
'abc'.partition('-')
'aBc'.swapcase()
'ẞ'.casefold()
'a\tb'.expandtabs(4)
s.nope
s.nope()
l|length
s|length
u|length
none|length
5|length
missing|length
d|length
l|count
l|first
l|last
[]|first
[]|first is defined
''|last
s|first
d|first
l|sum
[1.5, 2]|sum
['a']|sum
users|sum(attribute='age')
l|sum(start=10)
[[1], [2]]|sum(start=[])
l|min
l|max
[]|max
words|min
words|max
words|max(case_sensitive=true)
users|max(attribute='age')
users|min(attribute='name')
l|sort
l|sort(reverse=true)
words|sort
words|sort(case_sensitive=true)
users|sort(attribute='age')|map(attribute='name')|list
users|sort(attribute='age,name')|map(attribute='name')|list
users|sort(attribute='age', reverse=true)|map(attribute='name')|list
[1, 'a']|sort
l|reverse|list
s|reverse
d|dictsort
d|dictsort(true)
{'a': 2, 'b': 1}|dictsort(false, 'value')
{'a': 2, 'b': 1}|dictsort(by='value', reverse=true)
{'a': 2}|dictsort(by='x')
[1]|dictsort
d|items|list
missing|items|list
[1]|items|list
l|join
l|join(', ')
users|join(', ', attribute='name')
mixed|join('|')
s|join('-')
none|join
missing|join
s|replace('l', 'L')
s|replace('l', 'L', 1)
n|replace('7', 'x')
s|replace('')
missing|default('x')
missing|default
none|default('x')
none|default('x', true)
''|default('x', true)
''|d('x', boolean=true)
0|default(5, true)
missing.a|default('x')
l|map('string')|list
words|map('upper')|list
words|map('replace', 'p', 'P')|list
users|map(attribute='name')|list
users|map(attribute='active')|list
users|map(attribute='active', default='?')|list
users|map(attribute='tags.0')|list
users|map(attribute='tags.0', default='-')|list
none|map('upper')|list
words|map('nope')|list
words|map()|list
l|select('odd')|list
l|select('gt', 1)|list
l|select|list
[0, 1, '', 'a', none]|select|list
[0, 1, '', 'a', none]|reject|list
l|reject('equalto', 1)|list
words|select('in', ['fig'])|list
users|selectattr('active')|map(attribute='name')|list
users|selectattr('age', 'equalto', 30)|map(attribute='name')|list
users|selectattr('age', '>=', 26)|list|length
users|selectattr('active', 'defined')|list|length
users|rejectattr('active')|map(attribute='name')|list
users|rejectattr('active', 'undefined')|list|length
messages|selectattr('role', 'equalto', 'user')|first
(messages|selectattr('role', 'equalto', 'nobody')|list)[-1] is defined
(messages|selectattr('role', 'equalto', 'user'))|length
(messages|selectattr('role', 'equalto', 'user'))[0] is defined
words|unique|list
words|unique(case_sensitive=true)|list
[1, 1.0, true, '1']|unique|list
[[1]]|unique|list
users|unique(attribute='age')|map(attribute='name')|list
users|groupby('age')
users|groupby('age')|map('first')|list
(users|groupby('active', default=false))[1].list|length
(users|groupby('name'))|map(attribute='grouper')|list
range(7)|batch(3)|list
range(7)|batch(3, 'x')|list
range(7)|slice(3)|list
range(7)|slice(3, 'x')|list
'5'|int
'5.9'|int
'abc'|int
'abc'|int(9)
'0x1f'|int(0, 16)
'ff'|int(base=16)
'1_000'|int
' 42 '|int
''|int
none|int
5.9|int
-5.9|int
true|int
[]|int(3)
missing|int
'1e3'|int
'1.5'|float
'x'|float
'x'|float(1)
' 1e3 '|float
'nan'|float
'inf'|float
5|float
none|float
5|string
none|string
missing|string
l|string
1.0|string
'abc'|list
d|list
none|list
5|list
2.5|round
3.5|round
2.675|round(2)
-2.5|round
1234.5678|round(-2)
1250|round(-2)
1350|round(-2)
2.1|round(0, 'ceil')
2.19|round(1, 'floor')
7|round(2)
'x'|round
1.5|round(method='x')
-5|abs
-5.5|abs
'x'|abs
'a\nb\n\nc'|indent
'a\nb\n\nc'|indent(2, true)
'a\nb\n\nc'|indent(2, first=true, blank=true)
'a\nb'|indent('>> ')
'a\nb\n'|indent
''|indent(2, true)
none|indent
'%s-%s'|format(1, 'b')
'%(x)s'|format(x=3)
html|escape
html|e|upper
html|safe
html|safe ~ '<b>'
html|safe + '<b>'
'<b>' + ('<i>'|safe)
'<b>'|safe|safe|length
('<b>'|safe).upper() + '<'
('<b>'|safe).join(['<', '<'|safe])
['<b>'|safe]
html|forceescape
(html|escape) is escaped
'a b/ü?&='|urlencode
{'a b': 'c/d', 'x': 1}|urlencode
[('a', 1), ('b', 'x y')]|urlencode
'one two-three, four'|wordcount
'hello big wide world'|truncate(10)
'hello big wide world'|truncate(10, true)
'hello big wide world'|truncate(10, false, '…', 0)
'short'|truncate(3)
'short'|truncate(3, leeway=0)
'ab'|center(7) ~ '|'
1000|filesizeformat
1|filesizeformat
999|filesizeformat
1536|filesizeformat(true)
123456789|filesizeformat
d|attr('get')('a')
d|attr('a')
s|attr('upper')()
users|attr('append')
d|tojson
mixed|tojson
d|tojson(indent=2)
mixed|tojson(indent=4)
[]|tojson(indent=2)
[[], {}, [1]]|tojson(indent=1)
d|tojson(ensure_ascii=true)
u|tojson
u|tojson(ensure_ascii=true)
html|tojson
'\x00\x1f\x7f\u2028"\\\n\t\b\f\r/'|tojson
[1.0, 1e22, 1e-7, 0.1, -0.0]|tojson
[1e999, -1e999]|tojson
{1: 2, none: 3, true: 4, 1.5: 5}|tojson
{(1, 2): 3}|tojson
(1, 2)|tojson
missing|tojson
range(3)|tojson
d.items()|list|tojson
l|map('string')|tojson
d|tojson(sort_keys=true)
d|tojson(separators=(',', ':'))
d|tojson(indent=2, separators=(', ', ' = '))
('<'|safe)|tojson
s|nope
s|pprint|length
n is odd
n is even
n is divisibleby 7
n is divisibleby(2)
n is not even
n is number
t is number
f is float
n is integer
t is integer
t is boolean
1 is boolean
t is true
1 is true
z is false
none is none
none_value is none
missing is none
missing is defined
missing is undefined
n is defined
d.nested.nope is defined
s is string
n is string
(html|safe) is string
d is mapping
l is mapping
l is sequence
s is sequence
d is sequence
n is sequence
l is iterable
n is iterable
missing is iterable
(l|map('string')) is sequence
(l|map('string')) is iterable
range is callable
s is callable
s.upper is callable
n is sameas 7
t is sameas true
1 is sameas true
n is eq 7
n is equalto(7)
n is ne 7
n is lt 8
n is gt(8)
n is ge 7
n is le 6
n is in [7]
n is not in [7]
'a' is in 'abc'
s is lower
'abc' is lower
'ABC' is upper
'upper' is filter
'nope' is filter
'odd' is test
n is nope
n is string or t
n is defined and n > 3
'x' is odd
namespace(a=1)
namespace(a=1).a
namespace({'a': 1}, b=2).b
namespace(a=1)['a']
namespace(a=1).b is defined
namespace(_a=1)
dict(a=1, b=2)
dict([('a', 1)], b=2)
dict({'a': 1}, a=3)
dict.fromkeys('ab', 0)
dict(1)
joiner('-')() ~ 'x'
cycler('a', 'b').next()
cycler()
raise_exception('custom message')
raise_exception()
strftime_now('%Y-%m-%d %H:%M:%S %A %a %B %b %d %j %y %I %p %w %% %-d %e %F %T')
strftime_now('%d %b %Y')
[1, 2, 3,]
{'a': 1,}
dict(a=1,)
[x for x in l]
(lambda: 1)()
1 if
a b
1 +
)
'unterminated
d.
d..a
1.2.3
l[
@
$x
s|
s is
{'a' 1}
a.b.c = 1
9223372036854775807
-9223372036854775807 - 1
f is integer
(1.0).is_integer()
(5).bit_length()
2.0 ** 3
'a' < 1
[[1, 2], [0]]|sort
[none, 1]|sort
d.nested|length
[1, [2, [3, [4]]]]
(((((1)))))
not not 1
not 1 == 2
- - 1
2 - 1 - 1
2 * 3 % 4
1 < 2 and 2 < 3 or false
'a' in 'abc' == true
'yes' if 'a' in d and d.a is defined else 'no'
[true, false, none]|map('string')|join(',')
l[0] + l[1] * l[2] - n // 2
s[:5]|upper ~ s[5:]|lower
n|string|length + 1
-n|abs
(-n)|abs
1|string + 'a'
'x' ~ n|string
d.a + d['b'] == 3
d.values()|list|length
d.keys()|first
d.items()|first
d.items()|length
d.items()[0] is defined
d.keys()|list|sort|join
'b' in d.keys()
2 in d.values()
messages[0].role
messages[0]['role'] == 'system'
messages[1:]|length
messages[-1].content
messages[0].get('name', 'none')
messages|map(attribute='role')|join('/')
'role' in messages[0]
messages|length % 2 == 1
"a" == 'a'
'a\
b'
"line\nbreak"
1.e5
.5
5.
0777
00
1__0
0xG
""" + '\n'

# Whole templates.
STATEMENTS = [
    "{% if n %}a{% endif %}",
    "{% if z %}a{% else %}b{% endif %}",
    "{% if z %}a{% elif n %}b{% elif t %}c{% else %}d{% endif %}",
    "{% if missing %}a{% endif %}|",
    "{% if missing.x %}a{% endif %}|",
    "{% for x in l %}{{ x }},{% endfor %}",
    "{% for x in [] %}a{% else %}empty{% endfor %}",
    "{% for x in missing %}a{% else %}empty{% endfor %}",
    "{% for x in none %}a{% endfor %}",
    "{% for x in 5 %}a{% endfor %}",
    "{% for k in d %}{{ k }} {% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in d|items %}{{ loop.index }}{{ k }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for (a, b) in [(1, 2), (3, 4)] %}{{ a + b }} {% endfor %}",
    "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for a, b in ['xy', 'zw'] %}{{ b }}{{ a }}{% endfor %}",
    "{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}",
    "{% for a, b in [1] %}{{ a }}{% endfor %}",
    "{% for c in 'héé' %}[{{ c }}]{% endfor %}",
    "{% for x in l if x > 1 %}{{ loop.index }}:{{ x }}/{{ loop.length }} {% endfor %}",
    "{% for x in l if x > 9 %}{{ x }}{% else %}none{% endfor %}",
    "{% for x in l if loop.first %}{{ x }}{% endfor %}",
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {% endfor %}",
    "{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}",
    "{% for x in l %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }} {% endfor %}",
    "{% for x in l %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% for x in [1, 1, 2] %}{{ loop.changed(x) }} {% endfor %}",
    "{% for x in l %}{{ loop.depth }}{{ loop.depth0 }}{% for y in l %}{{ loop.depth }}{{ loop.index }}{% endfor %}{{ loop.index }} {% endfor %}",
    "{% for x in l|map('string') %}{{ x }}{{ loop.last }}{{ loop.revindex }} {% endfor %}",
    "{% for x in l %}{{ loop }}{% endfor %}",
    "{% for x in l %}{{ loop|length }}{{ loop.nope is defined }}{% endfor %}",
    "{% for x in range(5) %}{% if x == 1 %}{% continue %}{% endif %}{% if x == 3 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% break %}{% else %}else{% endfor %}",
    "{% for x in l %}{% continue %}{% else %}else{% endfor %}",
    "{% for x in l %}{% for y in l %}{% if y == 1 %}{% break %}{% endif %}{{ x }}{{ y }} {% endfor %}{% endfor %}",
    "{% break %}",
    "{% for x in l %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}",
    "{% for u in [{'n': 1, 'c': [{'n': 2, 'c': []}]}] recursive %}{{ u.n }}@{{ loop.depth }}({{ loop(u.c) }}){% endfor %}",
    "{% for x in l %}{{ loop(l) }}{% endfor %}",
    "{% set x = 1 %}{{ x }}",
    "{% set x, y = 1, 2 %}{{ x }}{{ y }}",
    "{% set (x, y) = (1, 2) %}{{ x }}{{ y }}",
    "{% set x = 1, 2 %}{{ x }}",
    "{% set x, = [1] %}{{ x }}",
    "{% set x, y = [1] %}",
    "{% set x %}a{{ n }}b{% endset %}[{{ x }}]",
    "{% set x | upper %}abc{% endset %}{{ x }}",
    "{% set x | replace('a', 'b') | upper %}abc{% endset %}{{ x }}",
    "{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}",
    "{% set x = 1 %}{% if t %}{% set x = 2 %}{% endif %}{{ x }}",
    "{% for i in l %}{% if loop.first %}{% set y = i %}{% endif %}{{ y is defined }}{% endfor %}{{ y is defined }}",
    "{% set ns = namespace(c=0) %}{% for i in l %}{% set ns.c = ns.c + i %}{% endfor %}{{ ns.c }}",
    "{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a }}{{ ns.b }}{{ ns.c is defined }}",
    "{% set ns = namespace(a=1) %}{% set ns.b %}x{% endset %}{{ ns.b }}{{ ns }}",
    "{% set ns = namespace() %}{% set ns._x = 1 %}",
    "{% set d.a = 5 %}",
    "{% set missing.a = 5 %}",
    "{% set ns = namespace(x=1) %}{% macro m() %}{% set ns.x = ns.x + 1 %}{% endmacro %}{{ m() }}{{ m() }}{{ ns.x }}",
    "{% set true = 1 %}",
    "{% set 1 = 1 %}",
    "{% set loop = 1 %}{{ loop }}",
    "{% for loop in l %}{{ loop }}{% endfor %}",
    "{% for x in l %}{% set loop = 1 %}{% endfor %}",
    "{% macro m(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(1, c='y') }} {{ m(c=1, a=2) }}",
    "{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m() }}{{ m(1)|upper ~ '!' }}",
    "{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}{{ m(none) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}",
    "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}",
    "{% macro m(a, a) %}{% endmacro %}",
    "{% macro m(a=1, b) %}{% endmacro %}",
    "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}",
    "{% macro m(a) %}{{ a }}{{ varargs|length }}{{ kwargs.x }}{% endmacro %}{{ m(1, 2, x=3) }}",
    "{% macro m() %}{{ x }}{% endmacro %}{% set x = 5 %}{{ m() }}",
    "{% macro m() %}{% set x = 6 %}{{ x }}{% endmacro %}{% set x = 5 %}{{ m() }}{{ x }}",
    "{% macro m(n) %}{{ n }}{% if n > 0 %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(3) }}",
    "{% macro m() %}{{ m2() }}{% endmacro %}{% macro m2() %}two{% endmacro %}{{ m() }}",
    "{{ m() }}{% macro m() %}x{% endmacro %}",
    "{% macro m() %}x{% endmacro %}{{ m }}{{ m.name }}{{ m.arguments }}{{ m is callable }}",
    "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}body {{ n }}{% endcall %}",
    "{% macro m(xs) %}{% for x in xs %}{{ caller(x, loop.index) }};{% endfor %}{% endmacro %}{% call(a, b) m(l) %}{{ a }}-{{ b }}{% endcall %}",
    "{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}",
    "{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}",
    "{% call n %}{% endcall %}",
    "{% for x in l %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}",
    "{% macro a() %}{% macro b() %}in{% endmacro %}{{ b() }}{% endmacro %}{{ a() }}{{ b is defined }}",
    "{% filter upper %}abc {{ s }}{% endfilter %}",
    "{% filter replace('a', 'b')|upper %}aaa{% endfilter %}",
    "{% filter indent(2) %}a\nb{% endfilter %}",
    "{% filter nope %}a{% endfilter %}",
    "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}",
    "{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q is defined }}",
    "{% set a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}",
    "{% generation %}a{{ n }}{% endgeneration %}",
    "{% generation %}{% set q = 1 %}{{ q }}{% endgeneration %}{{ q is defined }}",
    "{% print n, s %}",
    "{# comment #}a{#- b -#} c",
    "a {#- c #} b",
    "{# unterminated",
    "{{ unterminated",
    "{% if t %}unterminated",
    "{% endif %}",
    "{% nope %}",
    "{% if %}{% endif %}",
    "{% for x %}{% endfor %}",
    "{% if t %}{% endfor %}",
    "{% else %}",
    "a{% raw %}{{ x }}{% y %}{# z #}{% endraw %}b",
    "a {%- raw -%} {{ x }} {%- endraw -%} b",
    "  {% raw %}\n x {% endraw %}\n y",
    "{% raw %}unterminated",
    "a\n{% if t %}\nb\n{% endif %}\nc",
    "a\n  {% if t %}\n  b\n  {% endif %}\nc",
    "a  {% if t %}  b  {% endif %}  c",
    "a \n {%- if t -%} \n b \n {%- endif -%} \n c",
    "a\n{%+ if t +%}\nb{% endif %}",
    "a\n  {%+ if t %}\nb{% endif +%}\nc",
    "  {{ n }}  \n  {{- n -}}  \n x",
    "{{ n }}\n{{ n }}\n",
    "x\n\n",
    "x\r\ny\rz\r\n",
    "{% if t %}\n\n\nx{% endif %}",
    "\t {% if t %}x{% endif %} \n",
    "{{- n }}",
    "{{+1}}{{-1}}",
    "{{ n -}}\n\n  x",
    "{% set x = 1 -%}\n\n x",
    "a {{ '{{' }} b {{ '}}' }} c {{ '%}' }}",
    "{{ {'a': {'b': 1}} }}",
    "{{ {'a': {'b': 1}}}}",
    "{ { n } } {n} % } #}",
    "{% set x = {'a': 1} %}{{ x }}",
    "{%if t%}a{%endif%}",
    "{%-if t-%} a {%-endif-%}",
    "{% if t: %}a{% endif %}",
    "{% for x in l: %}{{ x }}{% endfor %}",
    "{{ '\\n' }}{{ \"\\t\" }}|",
    "line1\nline2 {{ 1 / 0 }}",
    "{{ cycler('a', 'b') is defined }}{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.next() }}",
    "{% set j = joiner() %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}",
    "{% set g = l|map('string') %}{{ g|join }}{{ g|join }}|",
    "{% set g = l|reverse %}{{ g|list }}{{ g|list }}",
    "{% set x = l|select('gt', 1) %}{% if x %}truthy{% endif %}{{ x|list }}{{ x|list }}",
    "{% set range = 5 %}{{ range }}",
    "{{ s if s is string else s|nope }}",
    "{% if false %}{{ s|nope }}{% endif %}ok",
    "{% if true %}{{ s|nope }}{% endif %}ok",
    "{% if false %}{{ s is nope }}{% endif %}ok",
    "{% if false %}{% for x in l %}{{ x|nope }}{% endfor %}{% endif %}ok",
    "{% set f = s.upper %}{{ f() }}",
    "{{ [1, 2]|join(*[', ']) }}{{ dict(**{'a': 1}) }}{{ '{} {x}'.format(*[1], **{'x': 2}) }}",
    "{{ s.replace(old='l', new='L') }}",
    "{{ s|replace(old='l', new='L') }}",
    "{{ 'a'|upper()|lower() }}",
    "{{ l|length() }}{{ l|length(1) }}",
    "{{ d|length }}{{ d.a }}{{ d['a'] }}{{ d.nested.deep[0] }}",
    "{% for m in messages %}{{ '<' + m['role'] + '>' + m['content'] + '\\n' }}{% endfor %}",
    "{% for m in messages %}{% if m.role == 'user' and loop.nextitem is defined and loop.nextitem.role == 'assistant' %}{{ m.content }}{% endif %}{% endfor %}",
    "{% set ns = namespace(last=-1) %}{% for m in messages[::-1] %}{% set i = (messages|length - 1) - loop.index0 %}{% if m.role == 'user' and ns.last == -1 %}{% set ns.last = i %}{% endif %}{% endfor %}{{ ns.last }}",
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}odd{% endif %}{% endfor %}",
    "{% set x = messages|selectattr('role', 'ne', 'system')|list %}{{ x|length }}{{ x[-1].content }}",
    "{{ raise_exception('bad ' ~ n) }}",
    "{% if not messages %}{{ raise_exception('empty') }}{% endif %}ok",
    "{{ 'x'.join(messages|map(attribute='content')) }}",
    "{%- set a = 'x' %}\n{{- a }}\n",
    "{% for k, v in {'b': 1, 'a': 2}|dictsort %}{{ k }}{{ v }}{% endfor %}",
    "{% for group, items in users|groupby('age') %}{{ group }}:{{ items|map(attribute='name')|join(',') }};{% endfor %}",
    "{% for g in users|groupby('age') %}{{ g.grouper }}{{ g.list|length }}{{ g[0] }};{% endfor %}",
    "{% for x in [1, 2, 3]|batch(2) %}{{ x }}{% endfor %}",
    "{% set x = none %}{% if x is none %}n{% endif %}{{ x }}",
    "{% set x = 5 if missing is defined else 6 %}{{ x }}",
    "{% set items = [] %}{% set items = items + ['a'] %}{% set items = items + ['b'] %}{{ items|join(',') }}",
    "{% for x in l %}{{ x }}{{ ',' if not loop.last }}{% endfor %}",
    "{% for x in l %}{% with loop_copy = loop %}{% for y in [1] %}{{ loop_copy.index }}{{ loop.index }}{% endfor %}{% endwith %}{% endfor %}",
    "{% set a %}{% for x in l %}{{ x }}{% endfor %}{% endset %}{{ a|length }}",
    "{% for x in l recursive %}{{ x }}{% endfor %}",
    "{% for x in [[1, [2]], [3]] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{% endif %}{% endfor %}",
]

CASES = ["{{ " + line + " }}" for line in EXPRESSIONS.replace("'a\\\nb'", "'a\\\0b'").strip("\n").split("\n")]
CASES = [case.replace("\0", "\n") for case in CASES] + STATEMENTS
