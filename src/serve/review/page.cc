#include "serve/review/page.h"

#include "base/error.h"
#include "report/html/parts.h"

namespace assay {
namespace {

// Nothing from elsewhere, no markup of a task's as script, no frame around it.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

constexpr std::string_view kPage = R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Assay: review</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="page.css">
<script src="page.js" defer></script>
</head>
<body class="review">
<a class="skip" href="#here">Skip to the example</a>
<header class="head">
<div class="name"><strong id="task">…</strong><span id="unsaved" role="status"></span></div>
<div class="do">
<button type="button" id="save" title="Ctrl-S">Save</button>
<button type="button" id="undo" title="u">Undo</button>
<button type="button" id="help" title="?">Keys</button>
<button type="button" id="theme">Light or dark</button>
<button type="button" id="done">Save and end</button>
</div>
</header>
<p id="told" role="alert" hidden></p>
<div class="both">
<nav aria-label="Examples">
<details id="fold" open>
<summary id="count">Examples</summary>
<div class="find">
<input id="find" type="search" aria-label="Search examples" placeholder="Search ( / )">
<select id="which" aria-label="Which examples"></select>
<select id="slices" aria-label="Slice"></select>
</div>
<ol id="list"></ol>
</details>
</nav>
<main id="here" tabindex="-1"></main>
</div>
<datalist id="names"></datalist>
<dialog id="keys" aria-label="Keys"></dialog>
<noscript><p>This page needs JavaScript.</p></noscript>
</body>
</html>
)html";

}  // namespace

std::string_view ReviewStyle() {
  return R"css(
.review .head{position:sticky;top:0;z-index:5;background:var(--bg);border-bottom:1px solid var(--line);display:flex;flex-wrap:wrap;gap:8px 16px;justify-content:space-between;align-items:center;padding:10px 20px}
.review .name{display:flex;flex-wrap:wrap;gap:2px 12px;align-items:baseline;min-width:0}
.review button:disabled{opacity:.5;cursor:default}
#unsaved{color:var(--muted);font-size:14px}#unsaved.some{color:var(--unsure);font-weight:600}
.do{display:flex;flex-wrap:wrap;gap:6px}
#told{margin:0;max-width:none;padding:10px 20px;background:var(--unsure-soft);color:var(--unsure);white-space:pre-wrap}
#told.bad{background:var(--cracks-soft);color:var(--cracks)}
.both{display:grid;grid-template-columns:330px minmax(0,1fr);align-items:start}
.review nav{position:sticky;top:58px;border-right:1px solid var(--line);height:calc(100vh - 58px);overflow-y:auto;padding:6px 14px 20px 20px}
.review main{max-width:1180px;margin:0;padding:6px 28px 60px;min-width:0}
.review main:focus{outline:none}
.find{display:grid;grid-template-columns:1fr 1fr;gap:6px;margin-bottom:8px}.find input{grid-column:1/-1}.find>*{min-width:0;width:100%}
#list{list-style:none;margin:0;padding:0}
#list button{display:block;width:100%;text-align:left;border:1px solid transparent;background:none;padding:6px 9px;border-radius:8px}
#list button[aria-current]{background:var(--panel);border-color:var(--accent)}
#list .row{display:flex;justify-content:space-between;gap:8px;font-weight:600}
#list small{display:block;color:var(--muted);font-size:12.5px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
#list .more{color:var(--muted);font-size:13px;padding:6px 9px}
.s{font-size:12px;font-weight:600;padding:1px 8px;border-radius:99px;white-space:nowrap;background:var(--soft);color:var(--muted)}
.s.drafted{background:var(--unsure-soft);color:var(--unsure)}.s.broken{background:var(--cracks-soft);color:var(--cracks)}
.s.edited{background:var(--soft);color:var(--accent)}.s.checked{background:var(--holds-soft);color:var(--holds)}
.title{display:flex;flex-wrap:wrap;gap:4px 12px;align-items:center;margin:14px 0 10px}.title h1{font-size:22px;margin:0}
.title .moves{margin-left:auto;display:flex;gap:6px}
.meta{display:grid;grid-template-columns:1fr 1fr 2fr;gap:10px}
.field{display:block;font-size:13px;color:var(--muted);min-width:0}
.field input,.field textarea,.field select{display:block;width:100%;margin-top:2px;font-size:14px}
textarea{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;color:var(--fg);background:var(--panel);border:1px solid var(--line);border-radius:7px;padding:7px 10px;width:100%;resize:vertical;min-height:38px;field-sizing:content;max-height:32em}
[aria-invalid=true]{border-color:var(--cracks);outline-color:var(--cracks)}
.review h2{margin:26px 0 6px}
.talk{border-left:3px solid var(--line);padding-left:14px}
.talk pre{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
.talk .long{max-height:22em;overflow:auto}
.check{background:var(--panel);border:1px solid var(--line);border-radius:10px;padding:10px 14px 12px;margin:0 0 10px}
.check>header{display:flex;flex-wrap:wrap;gap:6px 12px;align-items:center;justify-content:space-between;margin-bottom:6px}
.check .grid2{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:8px 14px;align-items:end;margin-top:8px}
.tick{display:flex;gap:7px;align-items:center;font-size:14px;min-height:36px}.tick input{min-height:0;width:16px;height:16px;margin:0}
.call{border-top:1px dashed var(--line);padding-top:8px;margin-top:8px;display:grid;gap:6px}
.values{display:grid;gap:6px}.line{display:flex;gap:6px;align-items:start}.line>:first-child{flex:1;min-width:0}
.tools{display:flex;flex-wrap:wrap;gap:6px;margin-top:8px}
.small{font-size:13px;padding:3px 9px;min-height:32px}
.problems{margin:10px 0;padding:10px 14px 10px 30px;background:var(--cracks-soft);color:var(--cracks);border-radius:9px;font-size:14px}
.problems.doubts{background:var(--unsure-soft);color:var(--unsure)}
.answers{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(320px,100%),1fr));gap:12px}
.why{margin:8px 0 0;padding-left:18px;font-size:13px;color:var(--muted)}
.labels{display:flex;flex-wrap:wrap;gap:6px;margin:10px 0}
.labels[data-on=true]{outline:2px solid var(--accent);outline-offset:4px;border-radius:7px}
dialog{background:var(--panel);color:var(--fg);border:1px solid var(--line);border-radius:12px;max-width:min(560px,92vw)}
dialog dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;margin:0 0 14px}dialog dt{font-weight:600}dialog dd{margin:0}
.over{max-width:40em;margin:12vh auto;padding:0 20px}
@media(max-width:860px){
.both{grid-template-columns:minmax(0,1fr)}
.review nav{position:static;height:auto;border-right:0;border-bottom:1px solid var(--line);padding:6px 16px}
#list{max-height:38vh;overflow-y:auto}
.review main{padding:6px 16px 60px}.review .head{position:static;padding:10px 16px}#told{padding:10px 16px}
.meta{grid-template-columns:1fr 1fr}.meta .field:last-child{grid-column:1/-1}
}
)css";
}

PageResponse AnswerReviewPage(Review& review, const PageRequest& request, bool& done) {
  if (request.method == "GET") {
    if (request.path == "/")
      return {.type = "text/html; charset=utf-8", .body = std::string(kPage), .policy = std::string(kPolicy)};
    if (request.path == "/page.css")
      return {.type = "text/css; charset=utf-8", .body = std::string(ReportStyle()) + std::string(ReviewStyle())};
    if (request.path == "/page.js")
      return {.type = "text/javascript; charset=utf-8", .body = std::string(ReviewScript())};
    Fail(ErrorKind::kNotFound, "no such page");
  }
  const Json asked = ParseJson(request.body, "the request");
  if (!asked.is_object()) Fail(ErrorKind::kInvalid, "the request: expected an object");
  Json answer;
  if (request.path == "/done") {
    review.Save();
    done = true;
    answer = {{"done", true}, {"file", review.task().string()}};
  } else {
    answer = review.Ask(request.path, asked);
  }
  return {.body = DumpJson(answer)};
}

}  // namespace assay
