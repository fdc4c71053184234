#include "dialect/published_prompts.h"

namespace assay {
namespace {

// What both begin with: the switch, calls in DeepSeek's markup (text where arguments are no object), and how one is
// shown to the model.
constexpr std::string_view kShared =
    R"jinja({%- set thinking = thinking if thinking is defined else (enable_thinking if enable_thinking is defined else false) -%}
{%- set mark = '｜DSML｜' -%}
{%- macro calls_text(calls, block) -%}
  {{- '\n\n<' + mark + block + '>\n' -}}
  {%- for call in calls -%}
    {{- '<' + mark + 'invoke name="' + call.function.name + '">\n' -}}
    {%- set arguments = call.function.arguments if call.function.arguments is mapping else {'arguments': call.function.arguments} -%}
    {%- for name, value in arguments.items() -%}
      {{- '<' + mark + 'parameter name="' + name + '" string="' + ('true' if value is string else 'false') + '">' -}}
      {{- (value if value is string else value | tojson) + '</' + mark + 'parameter>' + ('\n' if not loop.last else '') -}}
    {%- endfor -%}
    {{- '\n</' + mark + 'invoke>\n' -}}
  {%- endfor -%}
  {{- '</' + mark + block + '>' -}}
{%- endmacro -%}
{%- macro example(block, name) -%}
<{{ mark + block }}>
<{{ mark }}invoke name="${{ name }}">
<{{ mark }}parameter name="$PARAMETER_NAME" string="true|false">$PARAMETER_VALUE</{{ mark }}parameter>
...
</{{ mark }}invoke>
<{{ mark }}invoke name="${{ name }}2">
...
</{{ mark }}invoke>
</{{ mark + block }}>
{%- endmacro -%}
)jinja";

constexpr std::string_view kDeepSeekV4 =
    R"jinja({%- set ns = namespace(last=-1, open=false, calls=[], results=[], key=0) -%}
{%- for m in messages -%}{%- if m.role in ['user', 'developer', 'tool'] -%}{%- set ns.last = loop.index0 -%}{%- endif -%}{%- endfor -%}
{%- macro tool_text() -%}
## Tools

You have access to a set of tools to help answer the user's question. You can invoke tools by writing a "<{{ mark }}tool_calls>" block like the following:

{{ example('tool_calls', 'TOOL_NAME') }}

String parameters should be specified as is and set `string="true"`. For all other types (numbers, booleans, arrays, objects), pass the value in JSON format and set `string="false"`.

If thinking_mode is enabled (triggered by <think>), you MUST output your complete reasoning inside <think>...</think> BEFORE any tool calls or final response.

Otherwise, output directly after </think> with tool calls or final response.

### Available Tool Schemas

{% for tool in tools %}{{ tool.function | tojson }}{{ '\n' }}{% endfor %}{{ '\n' -}}
You MUST strictly follow the above defined tool name and parameter schemas to invoke tool calls.
{{ '' }}
{%- endmacro -%}
{{- bos_token -}}
{%- if tools and (not messages or messages[0].role != 'system') -%}{{- '\n\n' + tool_text() -}}{%- endif -%}
{%- for m in messages -%}
  {%- set i = loop.index0 -%}
  {%- set next = messages[i + 1].role if not loop.last else '' -%}
  {%- if m.role == 'system' -%}
    {{- m.content or '' -}}
    {%- if tools and i == 0 -%}{{- '\n\n' + tool_text() -}}{%- endif -%}
  {%- elif m.role == 'user' or m.role == 'tool' -%}
    {%- if not ns.open -%}
      {#- A run of these is one turn; results come in the order of the calls. -#}
      {%- set ns.open = true -%}
      {%- set run = namespace(on=true, found=[]) -%}
      {%- for t in messages[i:] -%}
        {%- if t.role not in ['user', 'tool'] -%}{%- set run.on = false -%}{%- endif -%}
        {%- if run.on and t.role == 'tool' -%}
          {%- set ns.key = 0 -%}
          {%- for call in ns.calls -%}{%- if call.id and call.id == t.tool_call_id -%}{%- set ns.key = loop.index0 -%}{%- endif -%}{%- endfor -%}
          {%- set run.found = run.found + [{'key': ns.key, 'content': t.content}] -%}
        {%- endif -%}
      {%- endfor -%}
      {%- set ns.results = (run.found | sort(attribute='key') | list) -%}
      {{- '<｜User｜>' -}}
    {%- else -%}
      {{- '\n\n' -}}
    {%- endif -%}
    {%- if m.role == 'user' -%}
      {{- m.content or '' -}}
    {%- else -%}
      {%- set result = ns.results[0].content -%}
      {%- set ns.results = ns.results[1:] -%}
      {{- '<tool_result>' -}}
      {%- if result is string -%}
        {{- result -}}
      {%- else -%}
        {%- for part in result or [] -%}
          {{- ('\n\n' if not loop.first else '') + (part.text if part.type == 'text' else '[Unsupported ' + part.type + ']') -}}
        {%- endfor -%}
      {%- endif -%}
      {{- '</tool_result>' -}}
    {%- endif -%}
    {%- if next not in ['user', 'tool'] -%}{%- set ns.open = false -%}{%- endif -%}
  {%- elif m.role == 'developer' -%}
    {%- if not (thinking and not tools and i < ns.last) -%}{{- '<｜User｜>' + m.content -}}{%- endif -%}
  {%- elif m.role == 'latest_reminder' -%}
    {{- '<｜latest_reminder｜>' + m.content -}}
  {%- elif m.role == 'assistant' -%}
    {%- if thinking and (tools or i > ns.last) -%}{{- (m.reasoning_content or '') + '</think>' -}}{%- endif -%}
    {{- m.content or '' -}}
    {%- if m.tool_calls -%}
      {%- set ns.calls = m.tool_calls -%}
      {{- calls_text(m.tool_calls, 'tool_calls') -}}
    {%- endif -%}
    {{- '<｜end▁of▁sentence｜>' -}}
  {%- else -%}
    {{- raise_exception('Unknown role: ' + m.role) -}}
  {%- endif -%}
  {%- if m.role in ['user', 'tool', 'developer'] and (next in ['assistant', 'latest_reminder'] or (loop.last and add_generation_prompt)) -%}
    {%- if m.role != 'developer' or not (thinking and not tools and i < ns.last) -%}
      {{- '<｜Assistant｜>' + ('<think>' if thinking and (tools or i >= ns.last) else '</think>') -}}
    {%- endif -%}
  {%- endif -%}
{%- endfor -%})jinja";

constexpr std::string_view kDeepSeekV32 =
    R"jinja({%- set ns = namespace(last=-1, expected=0, results=0) -%}
{%- for m in messages -%}{%- if m.role in ['user', 'developer'] -%}{%- set ns.last = loop.index0 -%}{%- endif -%}{%- endfor -%}
{%- macro tool_text() -%}
## Tools
You have access to a set of tools you can use to answer the user's question.
You can invoke functions by writing a "<{{ mark }}function_calls>" block like the following as part of your reply to the user:
{{ example('function_calls', 'FUNCTION_NAME') }}
String and scalar parameters should be specified as is without any escaping or quotes, while lists and objects should use JSON format. The "string" attribute should be set to "true" for string type parameters and "false" for other types (numbers, booleans, arrays, objects).
If the thinking_mode is enabled, then after function results you should strongly consider outputting a thinking block. Here is an example:
<{{ mark }}function_calls>
...
</{{ mark }}function_calls>
<function_results>
...
</function_results>
<think>...thinking about results</think>
Here are the functions available in JSONSchema format:
<functions>
{% for tool in tools %}{{ tool.function | tojson }}{{ '\n' }}{% endfor %}
</functions>
{{ '' }}
{%- endmacro -%}
{{- bos_token -}}
{%- if tools and (not messages or messages[0].role != 'system') -%}{{- '\n\n' + tool_text() -}}{%- endif -%}
{%- for m in messages -%}
  {%- set i = loop.index0 -%}
  {%- set answers = not loop.last or add_generation_prompt -%}
  {%- if m.role == 'system' -%}
    {{- m.content or '' -}}
    {%- if tools and i == 0 -%}{{- '\n\n' + tool_text() -}}{%- endif -%}
  {%- elif m.role == 'user' or m.role == 'developer' -%}
    {%- if m.role == 'user' or not thinking or i >= ns.last -%}
      {{- '<｜User｜>' + ("\n\n# The user's message is: " if m.role == 'developer' else '') + m.content -}}
      {%- if answers -%}{{- '<｜Assistant｜>' + ('<think>' if thinking and i == ns.last else '</think>') -}}{%- endif -%}
    {%- endif -%}
  {%- elif m.role == 'tool' -%}
    {%- set ns.results = ns.results + 1 -%}
    {%- if ns.results > ns.expected -%}{{- raise_exception('A tool result without its call') -}}{%- endif -%}
    {%- if ns.results == 1 -%}{{- '\n\n<function_results>' -}}{%- endif -%}
    {{- '\n<result>' + m.content + '</result>' -}}
    {%- if ns.results == ns.expected -%}
      {{- '\n</function_results>' -}}
      {%- if answers -%}{{- '\n\n' + ('<think>' if thinking and i >= ns.last else '</think>') -}}{%- endif -%}
    {%- endif -%}
  {%- elif m.role == 'assistant' -%}
    {%- set ns.results = 0 -%}
    {%- set ns.expected = (m.tool_calls or []) | length -%}
    {%- if thinking and i > ns.last -%}{{- (m.reasoning_content or '') + '</think>' -}}{%- endif -%}
    {{- m.content or '' -}}
    {%- if m.tool_calls -%}
      {{- calls_text(m.tool_calls, 'function_calls') -}}
    {%- endif -%}
    {{- '<｜end▁of▁sentence｜>' -}}
  {%- else -%}
    {{- raise_exception('Unknown role: ' + m.role) -}}
  {%- endif -%}
{%- endfor -%})jinja";

}  // namespace

std::string PublishedChatTemplate(std::string_view architecture) {
  if (architecture == "deepseek32") return std::string(kShared) + std::string(kDeepSeekV32);
  if (architecture == "deepseek4") return std::string(kShared) + std::string(kDeepSeekV4);
  return {};
}

}  // namespace assay
