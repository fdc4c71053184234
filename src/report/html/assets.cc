#include "report/html/parts.h"

namespace assay {

std::string_view ReportStyle() {
  return R"css(
:root{color-scheme:light dark;--bg:#fcfbf9;--panel:#fff;--fg:#1c1d1f;--muted:#5c6066;--line:#e4e1db;--soft:#f3f1ec;
--holds:#17693f;--holds-soft:#e3f2e9;--cracks:#a8261c;--cracks-soft:#fbe7e4;--unsure:#7d5400;--unsure-soft:#fbf0d9;--accent:#2457a6;
--add:#cfeeda;--del:#fbd5cf}
@media screen and (prefers-color-scheme:dark){:root:not([data-theme=light]){--bg:#141619;--panel:#1b1e22;--fg:#e8e7e3;--muted:#a3a8ae;--line:#30353b;--soft:#22262b;
--holds:#6fd3a0;--holds-soft:#17301f;--cracks:#ff9a8d;--cracks-soft:#3d1d1a;--unsure:#efc267;--unsure-soft:#362a12;--accent:#8db7f5;
--add:#1d4a30;--del:#5e2822}}
@media screen{:root[data-theme=dark]{color-scheme:dark;--bg:#141619;--panel:#1b1e22;--fg:#e8e7e3;--muted:#a3a8ae;--line:#30353b;--soft:#22262b;
--holds:#6fd3a0;--holds-soft:#17301f;--cracks:#ff9a8d;--cracks-soft:#3d1d1a;--unsure:#efc267;--unsure-soft:#362a12;--accent:#8db7f5;
--add:#1d4a30;--del:#5e2822}}
:root[data-theme=light]{color-scheme:light}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;overflow-wrap:anywhere}
main,.top{max-width:1180px;margin:0 auto;padding:0 28px}
.top{padding-top:36px}
.bar{display:flex;justify-content:space-between;align-items:center;gap:16px;color:var(--muted);font-size:14px}
h1{font-size:29px;line-height:1.28;font-weight:650;letter-spacing:-.012em;margin:18px 0 8px;max-width:32em;text-wrap:balance;overflow-wrap:anywhere}
h2{font-size:19px;font-weight:650;letter-spacing:-.005em;margin:52px 0 4px}
h3{font-size:16px;font-weight:650;margin:0}
p{margin:0 0 12px;max-width:70ch}
.lead,.sub{color:var(--muted)}
.lead{max-width:82ch}
.sub{font-size:14px;margin-bottom:16px;max-width:92ch}
a{color:var(--accent)}
.skip{position:absolute;left:-999px}
.skip:focus{left:12px;top:12px;background:var(--panel);padding:8px 12px;z-index:9}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:3px}
button,select,input{font:inherit;font-size:14px;color:var(--fg);background:var(--panel);border:1px solid var(--line);border-radius:7px;padding:6px 11px;min-height:36px;max-width:100%}
button{cursor:pointer}
button[aria-pressed=true]{background:var(--fg);border-color:var(--fg);color:var(--bg)}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:10px 24px;margin:20px 0 0;padding:14px 0;border-top:1px solid var(--line);border-bottom:1px solid var(--line);font-size:15px}
.facts dt{color:var(--muted);font-size:13px}
.facts dd{margin:0}
.facts small{display:block;color:var(--muted);font-size:13px}
.next h2{margin-top:32px}
.next ol{margin:8px 0 0;padding-left:22px;max-width:82ch}
.next li{margin:0 0 6px}
table{border-collapse:collapse;width:100%;font-size:15px}
th{font-weight:500;color:var(--muted);font-size:13px;text-align:left;vertical-align:bottom}
th,td{padding:9px 10px;border-bottom:1px solid var(--line)}
td{vertical-align:middle}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tbody th{color:var(--fg);font-size:15px;font-weight:600;vertical-align:middle}
tbody th small{display:block;font-weight:400;color:var(--muted);font-size:13px}
.verdicts th:first-child{min-width:118px}
.verdicts tr.why td{padding:0 10px 13px;color:var(--muted);font-size:14px;border-bottom:1px solid var(--line)}
.verdicts tr.has-why th,.verdicts tr.has-why td{border-bottom:0;padding-bottom:4px}
.why a{margin-left:6px;white-space:nowrap}
.base{color:var(--muted)}
.v{display:inline-block;font-weight:600;font-size:14px;padding:2px 9px;border-radius:99px;white-space:nowrap}
.v.holds{color:var(--holds);background:var(--holds-soft)}.v.cracks{color:var(--cracks);background:var(--cracks-soft)}
.v.unsure{color:var(--unsure);background:var(--unsure-soft)}.v.none{color:var(--muted);background:var(--soft)}
.strip{display:block;width:190px;max-width:100%;height:26px}
.strip .axis{stroke:var(--line)}.strip .zero{stroke:var(--muted)}.strip .margin{stroke:var(--muted);stroke-dasharray:2 3}.strip .beyond{fill:var(--soft)}
.holds .ink,.ink.holds{stroke:var(--holds);fill:var(--holds)}.cracks .ink,.ink.cracks{stroke:var(--cracks);fill:var(--cracks)}
.unsure .ink,.ink.unsure{stroke:var(--unsure);fill:var(--unsure)}.none .ink,.ink.none{stroke:var(--muted);fill:var(--muted)}
.grid{table-layout:fixed}
.grid td,.grid thead th{text-align:center;font-variant-numeric:tabular-nums;padding:6px 4px}
.grid th:first-child{text-align:left;padding-left:10px;width:15%}
.cell{display:block;padding:5px 2px;border-radius:7px;background:var(--soft);color:var(--fg);text-decoration:none;line-height:1.3}
.cell.holds{color:var(--holds);background:var(--holds-soft)}.cell.cracks{color:var(--cracks);background:var(--cracks-soft);font-weight:600}
.cell.unsure{color:var(--unsure);background:var(--unsure-soft)}
.cell.plain,.cell.quiet{background:none}.cell.zero{color:var(--muted)}
.cell small{display:block;color:inherit;font-size:12.5px}
.cell.quiet small{color:var(--muted)}
a.cell:hover{text-decoration:underline}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(300px,100%),420px));gap:18px}
figure{margin:0;background:var(--panel);border:1px solid var(--line);border-radius:12px;padding:14px 14px 8px;min-width:0}
figcaption{font-size:15px;font-weight:600}
figcaption small{display:block;font-weight:400;color:var(--muted);font-size:13px}
figure svg{display:block;width:100%;height:auto}
figure text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:var(--muted)}
figure text.name{fill:var(--fg);font-weight:550;paint-order:stroke;stroke:var(--panel);stroke-width:3px;stroke-linejoin:round}
figure .lead-line{stroke:var(--muted);stroke-width:.8;opacity:.7}
.gridline{stroke:var(--line)}.ref{stroke:var(--muted);stroke-dasharray:4 4}.whisker{stroke-width:1.5;opacity:.45}
.hollow{fill:var(--panel);stroke:var(--fg);stroke-width:2}
.filters{position:sticky;top:0;z-index:3;background:var(--bg);display:flex;flex-wrap:wrap;gap:8px;align-items:center;padding:12px 0;border-bottom:1px solid var(--line)}
.filters input{flex:1 1 220px;min-width:0;max-width:340px}
.filters select{max-width:190px}
.filters .count{margin-left:auto;color:var(--muted);font-size:14px}
html:not(.js) .filters,html:not(.js) #theme,html:not(.js) .keys{display:none}
.ex,.unlabelled{padding:26px 0 6px;border-bottom:1px solid var(--line);content-visibility:auto;contain-intrinsic-size:auto 420px}
.ex>header,.unlabelled>header{display:flex;flex-wrap:wrap;gap:4px 12px;align-items:baseline}
.tag{color:var(--muted);font-size:14px}
.ask{margin:8px 0 0;padding-left:14px;border-left:3px solid var(--line)}
.ask pre{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;max-height:10.6em;overflow:auto}
.ask .role{margin:0}
.expected{max-width:none;font-size:14px;margin:6px 0 0;color:var(--muted)}
.expected code{color:var(--fg);font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre-wrap}
details{margin:8px 0}
summary{cursor:pointer;color:var(--accent);font-size:14px;width:max-content;max-width:100%;padding:3px 0}
.role{color:var(--muted);font-size:13px;margin:10px 0 2px}
pre{margin:0;font:13px/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere;tab-size:4}
.prompt{background:var(--soft);border-radius:9px;padding:4px 14px 12px;max-height:26em;overflow:auto}
.pair,.other{margin:14px 0 20px}
.pair>header,.other>header{display:flex;flex-wrap:wrap;gap:4px 12px;align-items:baseline;margin-bottom:7px;font-size:14px}
.pair>header b,.other>header b{font-size:15px}
.pair .why{color:var(--muted)}
.moved{color:var(--muted);font-size:13px;margin:5px 0 0;max-width:none;font-variant-numeric:tabular-nums}
.sides{display:grid;grid-template-columns:1fr 1fr;gap:12px}
.sides.one{grid-template-columns:1fr}
.side{background:var(--panel);border:1px solid var(--line);border-left:4px solid var(--muted);border-radius:9px;padding:9px 13px 12px;min-width:0}
.side h4{display:flex;flex-wrap:wrap;justify-content:space-between;gap:2px 12px;font-size:13px;font-weight:500;color:var(--muted);margin:0 0 5px}
.side .w{font-weight:600}
.side.right{border-left-color:var(--holds)}.side.right .w{color:var(--holds)}
.side.wrong{border-left-color:var(--cracks)}.side.wrong .w{color:var(--cracks)}
.side .empty{color:var(--muted);font-style:italic;margin:0;font-size:14px}
mark{border-radius:3px;padding:1px 0;color:inherit;background:var(--soft);text-decoration:underline;text-decoration-thickness:2px;text-underline-offset:3px;text-decoration-color:var(--muted)}
.right mark{background:var(--add);text-decoration-color:var(--holds)}
.wrong mark{background:var(--del);text-decoration-color:var(--cracks)}
.o{font-weight:600}.o.lost{color:var(--cracks)}.o.gained{color:var(--holds)}.o.same{color:var(--muted)}
.method{color:var(--muted);font-size:14px;margin-top:52px}.method p{max-width:78ch}
.method summary{font-size:14px}.method h2{display:inline;color:var(--accent)}
.method h3{color:var(--fg);font-size:15px;margin:20px 0 4px}
.method ul{margin:0;padding-left:20px;max-width:92ch}.method li{margin:0 0 3px}
.method dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;margin:8px 0}
.method dt{color:var(--muted)}.method dd{margin:0;color:var(--fg);font-variant-numeric:tabular-nums}
footer{color:var(--muted);font-size:13px;margin:44px 0 60px}
.vh{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
td,.cell,summary,label{position:relative}
[hidden]{display:none!important}
@media(max-width:1023px){.opt{display:none}}
@media screen and (max-width:719px){
main,.top{padding-left:16px;padding-right:16px}.top{padding-top:20px}
h1{font-size:23px}h2{margin-top:40px}
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
.sides{grid-template-columns:1fr}
.filters{position:static}
.filters input{flex-basis:100%;max-width:none}.filters select{flex:1 1 40%;min-width:0;max-width:none}.filters .count{margin-left:0;flex-basis:100%}
.method dl{grid-template-columns:1fr}.method dt{margin-top:6px}
.grid thead{display:none}
.grid,.grid tbody,.grid tr,.grid td,.grid th{display:block;border:0;padding:0;width:auto}
.grid tr{display:grid;grid-template-columns:repeat(auto-fill,minmax(132px,1fr));gap:6px 8px;padding:12px 0;border-top:1px solid var(--line)}
.grid tbody th:first-child{grid-column:1/-1;padding:0;width:auto}
.grid td.absent{display:none}
.grid td:not(.absent){display:flex;flex-direction:column}
.grid .cell{text-align:left;padding:5px 9px;flex:1}
.grid .plain,.grid .quiet{padding-left:0}
.grid td::before{content:attr(data-l);display:block;color:var(--muted);font-size:12.5px;text-align:left}
}
@media screen and (max-width:1023px){
.grid.many thead{display:none}
.grid.many,.grid.many tbody,.grid.many tr,.grid.many td,.grid.many th{display:block;border:0;padding:0;width:auto}
.grid.many tr{display:grid;grid-template-columns:repeat(auto-fill,minmax(132px,1fr));gap:6px 8px;padding:12px 0;border-top:1px solid var(--line)}
.grid.many tbody th:first-child{grid-column:1/-1;padding:0;width:auto}
.grid.many td.absent{display:none}
.grid.many td:not(.absent){display:flex;flex-direction:column}
.grid.many .cell{text-align:left;padding:5px 9px;flex:1}
.grid.many .plain,.grid.many .quiet{padding-left:0}
.grid.many td::before{content:attr(data-l);display:block;color:var(--muted);font-size:12.5px;text-align:left}
}
@media print{
@page{margin:14mm}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
body{font-size:12.5px;background:#fff}
main,.top{padding:0;max-width:none}.top{padding-top:0}
h1{font-size:22px}h2{font-size:16px;margin-top:26px}h3{font-size:13px}
table,.facts,.sub,.lead,p,pre,.ask pre,.cell small,.side h4,.moved,.expected,.expected code,.method,.method h3{font-size:11px}
th,tbody th,tbody th small,.n,.facts dt,.facts small,.verdicts tr.why td,.pair>header,.pair>header b,.role,.tag,summary,.method summary,.method dl,.filters .count{font-size:10.5px}
.method h2{font-size:16px}.v{font-size:11px;padding:0 7px}
.facts{grid-template-columns:repeat(4,1fr);margin-top:12px;padding:8px 0}.verdicts tr.why td{padding:0 5px 5px}
th,td{padding:4px 5px}
.opt{display:table-cell}
.strip{width:120px}
.verdicts th:first-child{min-width:0}
.skip,#theme,.filters input,.filters select,.filters button,#f-none,.keys,.why a{display:none}
.filters{position:static;border:0;padding:0;background:none}.filters .count{margin:0}
.plots{grid-template-columns:repeat(3,1fr);gap:8px}figure{padding:6px}
.prompt,.ask pre{max-height:none;overflow:visible}
.ex,.unlabelled{content-visibility:visible;padding-top:14px}
h2,h3,.pair>header,.ex>header,summary{break-after:avoid}
tr,figure,.next li,.facts{break-inside:avoid}
.sides{break-inside:auto}
details:not([open])::details-content{content-visibility:visible;block-size:auto}
summary{list-style:none}
}
)css";
}

std::string_view ReportScript() {
  return R"js(
(function(){
var root=document.documentElement;root.classList.add('js');
function all(of,what){return [].slice.call(of.querySelectorAll(what));}
function at(id){return document.getElementById(id);}
at('theme').addEventListener('click',function(){
var dark=root.dataset.theme?root.dataset.theme==='dark':matchMedia('(prefers-color-scheme: dark)').matches;
root.dataset.theme=dark?'light':'dark';});
var closed=[];
addEventListener('beforeprint',function(){
closed=all(document,'details:not([open])');closed.forEach(function(d){d.open=true;});});
addEventListener('afterprint',function(){closed.forEach(function(d){d.open=false;});closed=[];});
function unfold(){if(location.hash==='#method')at('method').closest('details').open=true;}
addEventListener('hashchange',unfold);unfold();
document.addEventListener('click',function(e){
if(e.target.closest&&e.target.closest('a[href="#method"]'))at('method').closest('details').open=true;});
var filters=document.querySelector('.filters');if(!filters)return;
var find=at('f-find'),arm=at('f-arm'),slice=at('f-slice'),fail=at('f-fail'),count=at('f-count');
var buttons=all(filters,'button'),pairs=all(document,'.pair'),total=0;
var examples=all(document,'.ex').map(function(ex){
var list=all(ex,'.pair').map(function(p){
var by=p.dataset.c.split(' ');total+=by.length;
return {node:p,by:by,fails:p.dataset.f.split(' '),text:null};});
return {node:ex,pairs:list,text:null};});
function textOf(item){
if(item.text===null){
var copy=item.node;
if(item.pairs)item.text=all(copy,':scope>:not(.pair)').map(function(n){return n.textContent;}).join('\n').toLowerCase();
else item.text=copy.textContent.toLowerCase();}
return item.text;}
function chosen(select){return select?select.value:'';}
function apply(){
var on={};buttons.forEach(function(b){on[b.dataset.o]=b.getAttribute('aria-pressed')==='true';});
var shown=0,a=chosen(arm),s=chosen(slice),f=chosen(fail),words=find.value.trim().toLowerCase();
examples.forEach(function(ex){
var any=false,here=s===''||s===ex.node.dataset.s,asked=!words||(here&&textOf(ex).indexOf(words)>=0);
ex.pairs.forEach(function(p){
var show=here&&on[p.node.dataset.o]&&(a===''||p.by.indexOf(a)>=0)&&(f===''||p.fails.indexOf(f)>=0)&&(asked||textOf(p).indexOf(words)>=0);
p.node.hidden=!show;if(show){any=true;shown+=a===''?p.by.length:1;}});
ex.node.hidden=!any;});
count.textContent=shown+' of '+total+' answers shown';
at('f-none').hidden=shown>0;
return shown;}
function press(yes){buttons.forEach(function(b){b.setAttribute('aria-pressed',yes?'true':'false');});}
buttons.forEach(function(b){b.addEventListener('click',function(){
b.setAttribute('aria-pressed',b.getAttribute('aria-pressed')==='true'?'false':'true');apply();});});
[arm,slice,fail].forEach(function(select){if(select)select.addEventListener('change',apply);});
find.addEventListener('input',apply);
at('f-all').addEventListener('click',function(){
find.value='';[arm,slice,fail].forEach(function(select){if(select)select.value='';});press(true);apply();});
document.addEventListener('click',function(e){
var link=e.target.closest?e.target.closest('a[data-c]'):null;if(!link)return;
find.value='';arm.value=link.dataset.c;
if(slice)slice.value=link.dataset.s||'';
if(fail)fail.value=link.dataset.f||'';
if(link.dataset.f!==undefined)press(true);
if(apply()===0){press(true);apply();}});
document.addEventListener('keydown',function(e){
var typing=/^(SELECT|INPUT|TEXTAREA)$/.test(e.target.tagName);
if(e.key==='Escape'&&e.target===find){find.value='';apply();find.blur();return;}
if(e.ctrlKey||e.metaKey||e.altKey||typing)return;
if(e.key==='/'){find.focus();find.scrollIntoView({block:'center'});e.preventDefault();return;}
if(e.key!=='j'&&e.key!=='k')return;
var visible=pairs.filter(function(p){return p.offsetParent!==null;}),here=visible.indexOf(document.activeElement);
var next=visible[e.key==='j'?here+1:Math.max(here-1,0)];
if(next){next.focus({preventScroll:true});next.scrollIntoView({block:'center'});e.preventDefault();}});
apply();
})();
)js";
}

}  // namespace assay
