#include "report/html_parts.h"

namespace assay {

std::string_view ReportStyle() {
  return R"css(
:root{color-scheme:light dark;--bg:#fcfbf9;--panel:#fff;--fg:#1c1d1f;--muted:#5c6066;--line:#e4e1db;--soft:#f3f1ec;
--holds:#17693f;--holds-soft:#e3f2e9;--cracks:#a8261c;--cracks-soft:#fbe7e4;--unsure:#7d5400;--unsure-soft:#fbf0d9;--accent:#2457a6;
--add:#cfeeda;--del:#fbd5cf}
@media(prefers-color-scheme:dark){:root:not([data-theme=light]){--bg:#141619;--panel:#1b1e22;--fg:#e8e7e3;--muted:#a3a8ae;--line:#30353b;--soft:#22262b;
--holds:#6fd3a0;--holds-soft:#17301f;--cracks:#ff9a8d;--cracks-soft:#3d1d1a;--unsure:#efc267;--unsure-soft:#362a12;--accent:#8db7f5;
--add:#1d4a30;--del:#5e2822}}
:root[data-theme=dark]{color-scheme:dark;--bg:#141619;--panel:#1b1e22;--fg:#e8e7e3;--muted:#a3a8ae;--line:#30353b;--soft:#22262b;
--holds:#6fd3a0;--holds-soft:#17301f;--cracks:#ff9a8d;--cracks-soft:#3d1d1a;--unsure:#efc267;--unsure-soft:#362a12;--accent:#8db7f5;
--add:#1d4a30;--del:#5e2822}
:root[data-theme=light]{color-scheme:light}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main,.top{max-width:1180px;margin:0 auto;padding:0 28px}
.top{padding-top:36px}
.bar{display:flex;justify-content:space-between;align-items:center;gap:16px;color:var(--muted);font-size:14px}
h1{font-size:29px;line-height:1.28;font-weight:650;letter-spacing:-.012em;margin:18px 0 8px;max-width:32em;text-wrap:balance}
h2{font-size:19px;font-weight:650;letter-spacing:-.005em;margin:52px 0 4px}
h3{font-size:16px;font-weight:650;margin:0}
p{margin:0 0 12px;max-width:70ch}
.lead,.sub{color:var(--muted)}
.sub{font-size:14px;margin-bottom:16px;max-width:92ch}
a{color:var(--accent)}
.skip{position:absolute;left:-999px}
.skip:focus{left:12px;top:12px;background:var(--panel);padding:8px 12px;z-index:9}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:3px}
button,select{font:inherit;font-size:14px;color:var(--fg);background:var(--panel);border:1px solid var(--line);border-radius:7px;padding:6px 11px;min-height:36px}
button{cursor:pointer}
button[aria-pressed=true]{background:var(--fg);border-color:var(--fg);color:var(--bg)}
table{border-collapse:collapse;width:100%;font-size:15px}
th{font-weight:500;color:var(--muted);font-size:13px;text-align:left;vertical-align:bottom}
th,td{padding:9px 10px;border-bottom:1px solid var(--line)}
td{vertical-align:middle}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tbody th{color:var(--fg);font-size:15px;font-weight:600;vertical-align:middle;overflow-wrap:anywhere}
tbody th small{display:block;font-weight:400;color:var(--muted);font-size:13px;white-space:nowrap}
.verdicts{table-layout:auto}
.verdicts tr.why td{padding:0 10px 13px;color:var(--muted);font-size:14px;border-bottom:1px solid var(--line)}
.verdicts tr.has-why th,.verdicts tr.has-why td{border-bottom:0;padding-bottom:4px}
.base{color:var(--muted)}
.v{display:inline-block;font-weight:600;font-size:14px;padding:2px 9px;border-radius:99px;white-space:nowrap}
.v.holds{color:var(--holds);background:var(--holds-soft)}.v.cracks{color:var(--cracks);background:var(--cracks-soft)}
.v.unsure{color:var(--unsure);background:var(--unsure-soft)}.v.none{color:var(--muted);background:var(--soft)}
.strip{display:block;width:190px;height:26px}
.strip .axis{stroke:var(--line)}.strip .zero{stroke:var(--muted)}.strip .margin{stroke:var(--muted);stroke-dasharray:2 3}.strip .beyond{fill:var(--soft)}
.holds .ink,.ink.holds{stroke:var(--holds);fill:var(--holds)}.cracks .ink,.ink.cracks{stroke:var(--cracks);fill:var(--cracks)}
.unsure .ink,.ink.unsure{stroke:var(--unsure);fill:var(--unsure)}.none .ink,.ink.none{stroke:var(--muted);fill:var(--muted)}
.notes{margin:14px 0 0;padding:0;list-style:none;color:var(--muted);font-size:14px}
.notes li{margin:0 0 4px}
.scroll{overflow-x:auto;position:relative;margin:0 -28px;padding:0 28px}
.slices th{overflow-wrap:break-word;min-width:6.2em}
.slices td{text-align:center;font-variant-numeric:tabular-nums;white-space:nowrap}
.slices thead th{text-align:center}.slices thead th:first-child{text-align:left}
.cell{display:inline-block;min-width:86px;padding:4px 9px;border-radius:7px;background:var(--soft)}
.cell.holds{color:var(--holds);background:var(--holds-soft)}.cell.cracks{color:var(--cracks);background:var(--cracks-soft)}
.cell.plain{background:none}.cell.zero{color:var(--muted)}
.cell.unsure,.cell.none{color:var(--fg)}
.cell small{color:inherit;font-size:12.5px;margin-left:4px}
a.cell{text-decoration:none}a.cell:hover{text-decoration:underline}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:18px}
figure{margin:0;background:var(--panel);border:1px solid var(--line);border-radius:12px;padding:14px 14px 8px;min-width:0}
figcaption{font-size:15px;font-weight:600}
figcaption small{display:block;font-weight:400;color:var(--muted);font-size:13px}
figure svg{display:block;width:100%;height:auto;overflow:visible}
figure text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:var(--muted)}
figure text.name{fill:var(--fg);font-weight:550}
.grid{stroke:var(--line)}.ref{stroke:var(--muted);stroke-dasharray:4 4}.whisker{stroke-width:1.5;opacity:.45}
.hollow{fill:var(--panel);stroke:var(--fg);stroke-width:2}
.filters{position:sticky;top:0;z-index:3;background:var(--bg);display:flex;flex-wrap:wrap;gap:8px;align-items:center;padding:12px 0;border-bottom:1px solid var(--line)}
.filters .count{margin-left:auto;color:var(--muted);font-size:14px}
html:not(.js) .filters,html:not(.js) #theme{display:none}
.ex,.unlabelled{padding:26px 0 6px;border-bottom:1px solid var(--line);content-visibility:auto;contain-intrinsic-size:auto 420px}
.ex>header,.unlabelled>header{display:flex;flex-wrap:wrap;gap:4px 12px;align-items:baseline}
.tag{color:var(--muted);font-size:14px}
.expected{max-width:none;font-size:14px;margin:6px 0 0;color:var(--muted)}
.expected code{color:var(--fg);font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere}
details{margin:8px 0}
summary{cursor:pointer;color:var(--accent);font-size:14px;width:max-content;max-width:100%;padding:3px 0}
.role{color:var(--muted);font-size:13px;margin:10px 0 2px}
pre{margin:0;font:13px/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere;tab-size:4}
.prompt{background:var(--soft);border-radius:9px;padding:4px 14px 12px;max-height:26em;overflow:auto}
.pair,.other{margin:14px 0 20px}
.pair>header,.other>header{display:flex;flex-wrap:wrap;gap:4px 12px;align-items:baseline;margin-bottom:7px;font-size:14px}
.pair>header b,.other>header b{font-size:15px}
.pair .why{color:var(--muted);overflow-wrap:anywhere}
.moved{float:right;margin-left:14px;font-variant-numeric:tabular-nums}
.sides{display:grid;grid-template-columns:1fr 1fr;gap:12px}
.side{background:var(--panel);border:1px solid var(--line);border-radius:9px;padding:9px 13px 12px;min-width:0}
.side h4{font-size:13px;font-weight:500;color:var(--muted);margin:0 0 5px}
.side .empty{color:var(--muted);font-style:italic}
ins,del{border-radius:3px;padding:1px 0;color:inherit}
ins{background:var(--add);text-decoration:underline;text-decoration-thickness:2px;text-underline-offset:3px;text-decoration-color:var(--holds)}
del{background:var(--del);text-decoration:underline dotted;text-decoration-thickness:2px;text-underline-offset:3px;text-decoration-color:var(--cracks)}
.o{font-weight:600}.o.regression{color:var(--cracks)}.o.fix{color:var(--holds)}.o.same{color:var(--muted)}
.method{color:var(--muted);font-size:14px}.method p{max-width:78ch}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;font-size:14px;margin:14px 0}
dt{color:var(--muted)}dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
footer{color:var(--muted);font-size:13px;margin:44px 0 60px}
.vh{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
[hidden]{display:none!important}
@media(max-width:1023px){.opt{display:none}}
@media(max-width:719px){
main,.top{padding-left:16px;padding-right:16px}.top{padding-top:20px}
h1{font-size:23px}h2{margin-top:40px}
.scroll{margin:0 -16px;padding:0 16px}
.verdicts thead{display:none}
.verdicts,.verdicts tbody,.verdicts tr,.verdicts td,.verdicts th{display:block;border:0;padding:0}
.verdicts tr{display:grid;grid-template-columns:1fr 1fr;gap:4px 16px;align-items:baseline;padding:16px 0 6px;border-top:1px solid var(--line)}
.verdicts tr.why{display:block;border:0;padding:2px 0 16px}.verdicts tr.why td{border:0;padding:0}
.verdicts tr.has-why th,.verdicts tr.has-why td{padding:0}.verdicts tr.base-row{padding-bottom:16px}
.verdicts td.n{text-align:left;font-size:14.5px;white-space:normal}
.verdicts th small{display:inline;margin-left:8px}
.verdicts th{grid-column:1/-1;grid-row:1;padding-right:110px}.verdicts td.verdict{grid-column:1/-1;grid-row:1;justify-self:end}
.verdicts td.drop{grid-column:1/-1;grid-row:2}.verdicts td.drop:empty{display:none}
.verdicts td[data-l]::before{content:attr(data-l) " ";color:var(--muted)}
.verdicts .opt{display:block}
.strip{width:100%;height:auto;max-width:340px}
.slices th:first-child{position:sticky;left:0;background:var(--bg);z-index:1}
.sides{grid-template-columns:1fr}
.filters{position:static}
.filters select{flex:1 1 40%;min-width:0}.filters .count{margin-left:0;flex-basis:100%}
.moved{float:none;display:block;margin:0}
dl{grid-template-columns:1fr}dt{margin-top:6px}
}
@media print{.filters,#theme{display:none}.ex{content-visibility:visible;break-inside:avoid}body{background:#fff}}
)css";
}

std::string_view ReportScript() {
  return R"js(
(function(){
var root=document.documentElement;root.classList.add('js');
var theme=document.getElementById('theme');
theme.addEventListener('click',function(){
var dark=root.dataset.theme?root.dataset.theme==='dark':matchMedia('(prefers-color-scheme: dark)').matches;
root.dataset.theme=dark?'light':'dark';});
var filters=document.querySelector('.filters');if(!filters)return;
var arm=document.getElementById('f-arm'),slice=document.getElementById('f-slice'),count=document.getElementById('f-count');
var buttons=[].slice.call(filters.querySelectorAll('button')),pairs=[].slice.call(document.querySelectorAll('.pair')),examples=[].slice.call(document.querySelectorAll('.ex'));
function apply(){
var on={};buttons.forEach(function(b){on[b.dataset.o]=b.getAttribute('aria-pressed')==='true';});
var shown=0;
examples.forEach(function(ex){
var any=false,right=slice.value===''||slice.value===ex.dataset.s;
[].forEach.call(ex.querySelectorAll('.pair'),function(p){
var show=right&&on[p.dataset.o]&&(arm.value===''||arm.value===p.dataset.c);
p.hidden=!show;if(show){any=true;shown++;}});
ex.hidden=!any;});
count.textContent=shown+' of '+pairs.length+' pairs';
document.getElementById('f-none').hidden=shown>0;}
buttons.forEach(function(b){b.addEventListener('click',function(){
b.setAttribute('aria-pressed',b.getAttribute('aria-pressed')==='true'?'false':'true');apply();});});
arm.addEventListener('change',apply);slice.addEventListener('change',apply);
document.addEventListener('click',function(e){
var link=e.target.closest?e.target.closest('a[data-c]'):null;if(!link)return;
arm.value=link.dataset.c;if(link.dataset.s!==undefined)slice.value=link.dataset.s;else slice.value='';apply();});
document.addEventListener('keydown',function(e){
if(e.ctrlKey||e.metaKey||e.altKey||/^(SELECT|INPUT|TEXTAREA)$/.test(e.target.tagName))return;
if(e.key!=='j'&&e.key!=='k')return;
var visible=pairs.filter(function(p){return p.offsetParent!==null;}),at=visible.indexOf(document.activeElement);
var next=visible[e.key==='j'?at+1:Math.max(at-1,0)];
if(next){next.focus({preventScroll:true});next.scrollIntoView({block:'center'});e.preventDefault();}});
apply();
})();
)js";
}

}  // namespace assay
