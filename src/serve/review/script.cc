#include "serve/review/page.h"

namespace assay {

// Texts of a task become text nodes and values of fields, never markup. Numbers are passed on as they are written:
// JSON is read and changed by the server alone.
std::string_view ReviewScript() {
  return R"js('use strict';
(function(){
var root=document.documentElement;root.classList.add('js');
function at(id){return document.getElementById(id);}
function el(tag,has,inside){
var node=document.createElement(tag);has=has||{};
Object.keys(has).forEach(function(key){
var value=has[key];if(value===undefined||value===null||value===false)return;
if(key==='text')node.textContent=value;
else if(key.slice(0,2)==='on')node.addEventListener(key.slice(2),value);
else if(key==='value')node.value=value;
else if(key==='checked')node.checked=value;
else node.setAttribute(key,value===true?'':value);});
(inside||[]).forEach(function(one){if(one)node.append(one);});
return node;}
function clear(node){node.textContent='';return node;}

var examples=[],differing=[],items=[],current=null,view=null,answerAt=0,gesture=Date.now()%1e9,refused=new Map(),over=false;
var waiting=null;  // the change that is being typed

function ask(what,asked){
return fetch(what,{method:'POST',headers:{'Content-Type':'application/json'},body:JSON.stringify(asked||{})}).then(function(response){
return response.json().then(function(json){if(!response.ok)throw new Error(json.error);return json;});},
function(){throw new Error('The program does not answer: was it ended? What was taken is kept beside the task, and is taken up when the review is started again.');});}
function tell(text,bad){var told=at('told');told.textContent=text||'';told.hidden=!text;told.className=bad?'bad':'';}
function failed(error){tell(error.message,true);}
function counts(json){
if(json.unsaved!==undefined){
var unsaved=at('unsaved');unsaved.textContent=json.unsaved?json.unsaved+' unsaved':'all saved';unsaved.className=json.unsaved?'some':'';}
if(json.undo!==undefined)at('undo').disabled=!json.undo;}

// The list.
function stateOf(one){return one.deleted?'deleted':one.broken?'broken':one.edited?'edited':one.drafted?'drafted':'checked';}
var WORDS={deleted:'deleted',broken:'mistake',edited:'edited',drafted:'draft',checked:'checked'};
function labelled(one){return one.rights.filter(function(right){return right!==null;}).length;}
function slicesOf(){var seen={};examples.forEach(function(one){if(!one.deleted)seen[one.slice]=true;});return Object.keys(seen);}
function fillSlices(){
var names=slicesOf(),chosen=at('slices').value;
clear(at('slices')).append(el('option',{value:'',text:'All slices'}));
clear(at('names'));
names.forEach(function(name){
at('slices').append(el('option',{value:name,text:name}));
at('names').append(el('option',{value:name}));});
at('slices').value=names.indexOf(chosen)>=0?chosen:'';}
function fillList(){
var words=at('find').value.trim().toLowerCase(),which=at('which').value,slice=at('slices').value;
items=[];
examples.forEach(function(one){
if(which==='unlabelled'||which==='labels')return;
if(which==='differs'?!one.differs:which&&stateOf(one)!==which&&!(which==='drafted'&&one.drafted&&!one.deleted))return;
if(slice&&one.slice!==slice)return;
if(words&&(one.id+'\n'+one.slice+'\n'+one.question).toLowerCase().indexOf(words)<0)return;
items.push({of:'task',one:one});});
differing.forEach(function(one){
if(slice||(which&&which!=='unlabelled'&&which!=='labels'))return;
if(which==='unlabelled'&&labelled(one)===one.rights.length)return;
if(words&&one.id.toLowerCase().indexOf(words)<0)return;
items.push({of:'labels',one:one});});
drawList();}
function place(){return items.findIndex(function(item){return current&&item.of===current.of&&item.one.line===current.line;});}
function drawList(){
var list=clear(at('list')),here=Math.max(place(),0),from=Math.max(0,here-150),to=Math.min(items.length,from+300);
if(from>0)list.append(el('li',{class:'more',text:from+' before: search, or choose a slice'}));
items.slice(from,to).forEach(function(item){
var one=item.one,on=current&&item.of===current.of&&one.line===current.line;
var state=item.of==='task'?stateOf(one):labelled(one)===one.rights.length?'checked':'drafted';
var word=item.of==='task'?WORDS[state]:labelled(one)+' of '+one.rights.length+' labelled';
list.append(el('li',{},[el('button',{type:'button','aria-current':on?'true':null,onclick:function(){go(item);}},[
el('span',{class:'row'},[el('span',{text:one.id}),el('span',{class:'s '+state,text:word})]),
el('small',{text:item.of==='task'?one.slice+' · '+one.question:'unlabelled prompt, answers differ'})])]));});
if(to<items.length)list.append(el('li',{class:'more',text:(items.length-to)+' more: search, or choose a slice'}));
if(!items.length)list.append(el('li',{class:'more',text:'Nothing here.'}));
at('count').textContent=(place()>=0?place()+1+' of ':'')+items.length+(items.length===1?' example':' examples');
var button=list.querySelector('[aria-current]');
if(button){var box=at('list').scrollHeight>at('list').clientHeight?at('list'):document.querySelector('nav');
var r=button.getBoundingClientRect(),b=box.getBoundingClientRect();
if(r.top<b.top||r.bottom>b.bottom)box.scrollTop+=r.top-b.top-b.height/3;}}
function summary(one){
var i=examples.findIndex(function(other){return other.line===one.line;});
if(i>=0)examples[i]=one;
fillSlices();
var item=items.find(function(item){return item.of==='task'&&item.one.line===one.line;});
if(item)item.one=one;
drawList();}

// Moving.
function go(item){
return flush().then(function(){
answerAt=0;current={of:item.of,line:item.one.line};refused.clear();tell('');
drawList();return show();}).catch(failed);}
function step(by){
if(!items.length)return;
var i=place();
go(items[i<0?0:Math.min(Math.max(i+by,0),items.length-1)]).then(function(){at('here').focus({preventScroll:true});scrollTo(0,0);});}
function show(){
return ask(current.of==='task'?'example':'differing',{line:current.line}).then(function(json){
view=json;if(current.of==='task')draw();else drawDiffering();});}

// Changes.
function change(changes,options){
options=options||{};
var asked={line:current.line,gesture:options.gesture||++gesture};
if(options.text!==undefined)asked.text=options.text;else if(options.remove)asked['delete']=true;else asked.changes=changes;
return ask('edit',asked).then(function(json){
counts(json);
if(json.summary)summary(json.summary);
if(json.example&&json.example.line===current.line&&!options.remove){
view.answers=json.example.answers||[];view.members=json.example.members;
if(json.taken&&options.redraw){view=json.example;draw();}
else{drawProblems(json.problems,json.taken);drawAnswers();
if(json.taken){view.text=json.example.text;view.checks=json.example.checks;var raw=at('raw');if(raw&&document.activeElement!==raw&&!refused.has(raw))raw.value=view.text;}}}
else drawProblems(json.problems,json.taken);
return json;});}
function flush(){
if(!waiting)return Promise.resolve();
var now=waiting;waiting=null;clearTimeout(now.timer);return now.run();}
// A field whose change is taken while it is typed.
function typed(field,make){
var mine=0;
field.addEventListener('focus',function(){mine=++gesture;});
function run(){
return change(make(),{gesture:mine||++gesture}).then(function(json){
field.setAttribute('aria-invalid',json.taken?'false':'true');
if(json.taken)refused.delete(field);else refused.set(field,true);}).catch(failed);}
field.addEventListener('input',function(){
if(waiting)clearTimeout(waiting.timer);
waiting={run:run,timer:setTimeout(function(){flush();},250)};});
field.addEventListener('change',function(){flush();});
field.addEventListener('blur',function(){flush();});
return field;}
function set(path,json){return {path:path,json:json};}
function drop(path){return {path:path,remove:true};}
function textOf(json,otherwise){
if(json===undefined)return otherwise;
try{var value=JSON.parse(json);return typeof value==='string'?value:null;}catch(e){return null;}}

// An example.
var FIELDS={
equals:[['value','texts'],['ignore_case','tick'],['strip_punctuation','tick'],['trim','tick',true]],
contains:[['value','texts'],['any','tick'],['not','tick'],['ignore_case','tick'],['whole_word','tick'],['max_chars','plain']],
regex:[['pattern','text'],['full','tick'],['ignore_case','tick'],['not','tick']],
number:[['value','plain'],['tolerance','plain'],['relative','plain'],['after','text'],['take','words',['last','first','only']],['decimal_comma','tick']],
json_value:[['value','json'],['allow_extra','tick'],['strict','tick'],['find','tick']],
json_schema:[['schema','json'],['allow_empty','tick'],['strict','tick'],['find','tick']],
tool_calls:[['calls','calls'],['ordered','tick'],['allow_extra_calls','tick'],['allow_extra_arguments','tick']],
choice:[['value','text'],['choices','texts'],['letters','text']]};
var NEW={equals:'{"type":"equals","value":"…"}',contains:'{"type":"contains","value":"…"}',regex:'{"type":"regex","pattern":"…"}',
number:'{"type":"number","value":0}',json_value:'{"type":"json_value","value":{}}',json_schema:'{"type":"json_schema","schema":{"type":"object"}}',
tool_calls:'{"type":"tool_calls","calls":[]}',choice:'{"type":"choice","value":"A","letters":"ABCD"}'};
function named(name,field){return el('label',{class:'field'},[el('span',{text:name}),field]);}
function area(value,rows){return el('textarea',{value:value,rows:rows||1,spellcheck:'false'});}
function lines(text){return Math.min(18,Math.max(1,text.split('\n').length));}

function check(i,one){
var type=textOf(one.members.type),fields=FIELDS[type],at_=['expect',i];
var box=el('section',{class:'check','aria-label':'Check '+(i+1)},[el('header',{},[el('h3',{text:type||'check'}),
el('button',{type:'button',class:'small',text:'Remove check','aria-label':'Remove check '+(i+1),onclick:function(){change([drop(at_)],{redraw:true}).catch(failed);}})])]);
var known=fields&&Object.keys(one.members).every(function(key){return key==='type'||fields.some(function(f){return f[0]===key;});});
if(!known){
var whole=area(one.text,lines(one.text));
box.append(named('check '+(i+1)+', JSON',typed(whole,function(){return [set(at_,whole.value)];})));
return box;}
var grid=el('div',{class:'grid2'});
fields.forEach(function(f){
var name=f[0],json=one.members[name],path=at_.concat(name),label=name.replace(/_/g,' ');
if(f[1]==='tick'){
var otherwise=!!f[2],on=json===undefined?otherwise:json==='true';
var tick=el('input',{type:'checkbox',checked:on,onchange:function(){
change([tick.checked===otherwise?drop(path):set(path,tick.checked?'true':'false')]).catch(failed);}});
grid.append(el('label',{class:'tick'},[tick,el('span',{text:label})]));
}else if(f[1]==='plain'){
var plain=el('input',{type:'text',inputmode:'decimal',value:json===undefined?'':json});
(name==='value'?box:grid).append(named(label,typed(plain,function(){return [plain.value.trim()?set(path,plain.value):drop(path)];})));
}else if(f[1]==='words'){
var choose=el('select',{onchange:function(){change([choose.value===f[2][0]?drop(path):set(path,JSON.stringify(choose.value))]).catch(failed);}},
f[2].map(function(word){return el('option',{value:word,text:word});}));
choose.value=textOf(json,f[2][0]);grid.append(named(label,choose));
}else if(f[1]==='text'){
var value=textOf(json,''),text=el('input',{type:'text',value:value===null?json:value,spellcheck:'false'});
var isText=value!==null;
(name==='value'||name==='pattern'?box:grid).append(named(label,typed(text,function(){
return [text.value===''&&name!=='value'&&name!=='pattern'?drop(path):set(path,isText?JSON.stringify(text.value):text.value)];})));
}else if(f[1]==='json'){
var source=area(json===undefined?'':json,lines(json||''));
box.append(named(label+', JSON',typed(source,function(){return [source.value.trim()?set(path,source.value):drop(path)];})));
}else if(f[1]==='texts')box.append(texts(label,json,path));
else box.append(calls(one,path));});
box.append(grid);return box;}

function texts(label,json,path){
var list,many=false;
try{list=json===undefined?[]:JSON.parse(json);}catch(e){list=null;}
if(Array.isArray(list))many=true;else if(typeof list==='string')list=[list];
if(!Array.isArray(list)||!list.every(function(one){return typeof one==='string';})){
var source=area(json||'',lines(json||''));
return named(label+', JSON',typed(source,function(){return [set(path,source.value)];}));}
var box=el('div',{class:'values'}),fields=[];
function make(){
var values=fields.map(function(field){return field.value;});
if(!values.length)return [drop(path)];
return [set(path,JSON.stringify(values.length===1&&!many?values[0]:values))];}
function one(value,i){
var field=typed(area(value,lines(value)),make);fields.push(field);
box.append(el('div',{class:'line'},[named(label+(list.length>1?' '+(i+1):''),field),
list.length>1?el('button',{type:'button',class:'small',text:'Remove','aria-label':'Remove '+label+' '+(i+1),onclick:function(){
fields.splice(fields.indexOf(field),1);change(make(),{redraw:true}).catch(failed);}}):null]));}
list.forEach(one);
box.append(el('div',{class:'tools'},[el('button',{type:'button',class:'small',text:'Another '+label,onclick:function(){
change([set(path,JSON.stringify(fields.map(function(f){return f.value;}).concat('…')))],{redraw:true}).catch(failed);}})]));
return box;}

function calls(one,path){
var box=el('div',{}),list=one.calls||[];
if(!list.length)box.append(el('p',{class:'sub',text:'No tool should be called: a direct answer.'}));
list.forEach(function(call,c){
var here=path.concat(c),name=textOf(call.name,''),isText=name!==null;
var who=el('input',{type:'text',value:isText?name:call.name,spellcheck:'false'});
var source=area(call.arguments===undefined?'':call.arguments,lines(call.arguments||''));
box.append(el('div',{class:'call'},[named('call '+(c+1)+(isText?': tool':': tool, JSON'),typed(who,function(){return [set(here.concat('name'),isText?JSON.stringify(who.value):who.value)];})),
named('call '+(c+1)+': arguments, JSON',typed(source,function(){return [source.value.trim()?set(here.concat('arguments'),source.value):drop(here.concat('arguments'))];})),
el('div',{},[el('button',{type:'button',class:'small',text:'Remove call '+(c+1),onclick:function(){change([drop(here)],{redraw:true}).catch(failed);}})])]));});
box.append(el('div',{class:'tools'},[el('button',{type:'button',class:'small',text:'Add a call',onclick:function(){
change([set(path.concat(list.length),'{"name":"'+'tool'+'","arguments":{}}')],{redraw:true}).catch(failed);}})]));
return box;}

function member(name,label,datalist){
var json=view.members[name],value=textOf(json,''),isText=value!==null;
var field=el('input',{type:'text',id:'m-'+name,value:isText?value:json,list:datalist,autocomplete:'off'});
return named(label,typed(field,function(){
if(field.value===''&&(name!=='id'||json===undefined))return [drop([name])];
return [set([name],isText?JSON.stringify(field.value):field.value)];}));}

function draw(){
var main=clear(at('here')),one=examples.find(function(e){return e.line===view.line;});
if(!one)return;
document.title='Assay: '+one.id;
var state=stateOf(one),tags=[el('span',{class:'s '+state,id:'state',text:WORDS[state]})];
main.append(el('div',{class:'title'},[el('h1',{text:one.id})].concat(tags,[el('span',{class:'tag',text:'line '+(one.line+1)}),
el('span',{class:'moves'},[el('button',{type:'button',text:'Previous',title:'k',onclick:function(){step(-1);}}),el('button',{type:'button',text:'Next',title:'j',onclick:function(){step(1);}})])])));
if(one.deleted){
main.append(el('p',{text:'This example will be gone when the task is saved; its line stays, empty.'}),
el('div',{class:'tools'},[el('button',{type:'button',text:'Bring it back (x)',onclick:toggle})]));
return;}
main.append(el('div',{class:'meta'},[member('id','id'),member('slice','slice','names'),member('note','note, for people')]));
main.append(el('div',{class:'tools'},[
one.drafted?el('button',{type:'button',id:'accept',text:'Right as it is (a)',onclick:accept}):null,
el('button',{type:'button',text:'Delete example (x)',onclick:toggle})]));
main.append(el('div',{id:'problems','aria-live':'polite'}));
var talk=el('section',{'aria-label':'Conversation'},[el('h2',{text:'Asked'})]);
(view.conversation||[]).forEach(function(part){
if(part.aside)talk.append(el('details',{},[el('summary',{text:part.role}),el('pre',{class:'prompt',text:part.text})]));
else talk.append(el('div',{class:'talk'},[el('p',{class:'role',text:part.role}),el('pre',{class:'long',text:part.text,tabindex:part.text.length>1500?'0':null})]));});
if(view.conversation)main.append(talk);
var expected=el('section',{id:'expected','aria-label':'Expected'},[el('h2',{text:'Expected'})]);
if(view.draft&&one.drafted)expected.append(el('details',{},[el('summary',{text:'What the draft was made of'}),el('pre',{class:'prompt',text:view.draft})]));
view.checks.forEach(function(one,i){expected.append(check(i,one));});
(view.default_checks||[]).forEach(function(text){expected.append(el('p',{class:'expected'},[document.createTextNode('From the defaults: '),el('code',{text:text})]));});
var add=el('select',{'aria-label':'Kind of check to add'},Object.keys(NEW).map(function(type){return el('option',{value:type,text:type});}));
expected.append(el('div',{class:'tools'},[add,el('button',{type:'button',text:'Add check',onclick:function(){
change([view.members.expect===undefined?set(['expect'],'['+NEW[add.value]+']'):set(['expect',view.checks.length],NEW[add.value])],{redraw:true}).catch(failed);}})]));
main.append(expected,el('section',{id:'answers','aria-label':'Answers'}));
var raw=area(view.text,Math.min(24,lines(view.text)));raw.id='raw';raw.setAttribute('aria-label','The whole example, JSON');
raw.addEventListener('input',function(){refused.set(raw,true);});
function take(){return change(null,{text:raw.value,redraw:true}).then(function(json){
if(json.taken)refused.delete(raw);raw.setAttribute('aria-invalid',json.taken?'false':'true');}).catch(failed);}
main.append(el('details',{id:'whole',open:!view.ok},[el('summary',{text:'The whole example as JSON (r)'}),raw,
el('div',{class:'tools'},[el('button',{type:'button',id:'take',text:'Take this JSON',onclick:take})])]));
raw.addEventListener('keydown',function(e){if(e.key==='Enter'&&(e.ctrlKey||e.metaKey)){e.preventDefault();take();}});
drawProblems(view.problems,true);drawAnswers();}

function drawProblems(problems,taken){
var box=at('problems');if(!box)return;clear(box);
var bad=problems.filter(function(p){return !p.warning;}),doubts=problems.filter(function(p){return p.warning;});
function list(some,kind,head){
if(!some.length)return;
box.append(el('ul',{class:'problems '+kind,'aria-label':head},some.map(function(p){return el('li',{text:(p.field?p.field+': ':'')+p.message});})));}
if(bad.length&&!taken)box.append(el('p',{class:'sub',text:'Not taken yet: the example stays as it was until this is right.'}));
list(bad,'','Mistakes');list(doubts,'doubts','Doubts');
var state=at('state'),one=examples.find(function(e){return e.line===current.line;});
if(state&&one&&current.of==='task'){state.className='s '+stateOf(one);state.textContent=WORDS[stateOf(one)];}}

function marked(parts){return parts.map(function(part){return part[1]?el('mark',{text:part[0]}):document.createTextNode(part[0]);});}
function card(title,right,word,body,more){
return el('article',{class:'side '+(right===undefined?'':right?'right':'wrong')},[el('h4',{},[el('span',{text:title}),
word?el('span',{class:'w',text:word}):null]),body].concat(more||[]));}
function drawAnswers(){
var box=at('answers');if(!box)return;clear(box);
if(!view.answers||!view.answers.length)return;
box.append(el('h2',{text:'Answers of the runs'}));
var first=view.answers.find(function(one){return one.diff;});
box.append(el('div',{class:'answers'},view.answers.map(function(one){
var title=one.arm+(one.baseline?', baseline':'')+(one.times>1?', '+one.times+' times':'')+(one.same?', the same answer':'');
if(one.error)return card(title,undefined,'error',el('pre',{text:one.error}));
var parts=one.baseline?first&&first.diff.before:one.diff&&one.diff.after;
var body=one.answer===''?el('p',{class:'empty',text:'an empty answer'}):el('pre',{},parts?marked(parts):[document.createTextNode(one.answer)]);
var why=el('ul',{class:'why'},one.checks.filter(function(c){return !c.pass||c.detail;}).map(function(c){
return el('li',{text:c.type+': '+(c.pass?'':c.failure+': ')+c.detail+(c.read?' (read '+c.read+')':'')});}));
var otherwise=one.pass!==one.recorded?el('p',{class:'moved',text:one.recorded?'It passed when it was run.':'It failed when it was run.'}):null;
return card(title,one.pass,one.pass?'✓ passes':'✗ fails',body,[why.childNodes.length?why:null,otherwise]);})));}

function accept(){
var one=examples.find(function(e){return e.line===current.line;});
if(!one||!one.drafted||one.deleted)return;
flush().then(function(){return change([drop(['draft'])],{redraw:true});}).then(function(json){if(json.taken)step(1);}).catch(failed);}
function toggle(){
var one=examples.find(function(e){return e.line===current.line;});if(!one)return;
flush().then(function(){
return one.deleted?change([],{redraw:true}):change(null,{remove:true});}).then(show).catch(failed);}

// Unlabelled prompts whose answers differ.
var RIGHTS=[['baseline','1  The baseline (A)'],['candidate','2  The candidate (B)'],['both','3  Both'],['neither','4  Neither']];
function drawDiffering(){
var main=clear(at('here'));
document.title='Assay: '+view.id;
main.append(el('div',{class:'title'},[el('h1',{text:view.id}),el('span',{class:'tag',text:'unlabelled: which answer is right?'}),
el('span',{class:'moves'},[el('button',{type:'button',text:'Previous',title:'k',onclick:function(){step(-1);}}),el('button',{type:'button',text:'Next',title:'j',onclick:function(){step(1);}})])]));
var talk=el('section',{'aria-label':'Conversation'},[el('h2',{text:'Asked'})]);
view.conversation.forEach(function(part){
if(part.role==='tools')talk.append(el('details',{},[el('summary',{text:'tools'}),el('pre',{class:'prompt',text:part.text})]));
else talk.append(el('div',{class:'talk'},[el('p',{class:'role',text:part.role||'prompt'}),el('pre',{class:'long',text:part.text})]));});
main.append(talk,el('h2',{text:'Answers'}));
view.answers.forEach(function(one,i){
var right=one.right;
main.append(el('div',{class:'answers'},[
card('A: the baseline'+(view.draft.from?', '+view.draft.from:''),right===null?undefined:right==='baseline'||right==='both','',el('pre',{},marked(one.diff.before))),
card('B: '+one.from.join(', '),right===null?undefined:right==='candidate'||right==='both','',el('pre',{},marked(one.diff.after)))]),
el('div',{class:'labels',role:'group','aria-label':'Which is right, answer '+(i+1),'data-on':view.answers.length>1&&i===answerAt?'true':null},
RIGHTS.map(function(r){return el('button',{type:'button','aria-pressed':right===r[0]?'true':'false',text:r[1],onclick:function(){answerAt=i;label(r[0]);}});})
.concat([el('button',{type:'button',text:'0  Not known',disabled:right===null,onclick:function(){answerAt=i;label(null);}})])));});}
function label(right){
return ask('label',{line:current.line,answer:answerAt,right:right}).then(function(json){
counts(json);view=json;
var one=differing.find(function(d){return d.line===json.line;});
one.rights=json.answers.map(function(a){return a.right;});
if(right!==null&&answerAt+1<json.answers.length)++answerAt;
tell('');drawDiffering();drawList();}).catch(failed);}

// The whole.
function save(){
return flush().then(function(){return ask('save');}).then(function(json){
counts(json);
return ask('state').then(function(state){load(state);
tell(refused.size?'Saved, but for what is not right yet on this page.':json.problems.length?'Saved. Still wrong in it:\n'+json.problems.slice(0,5).join('\n'):'Saved to '+json.file+'.',json.problems.length>0||refused.size>0);
drawProblemsState();});}).catch(failed);}
function drawProblemsState(){var state=at('state'),one=current&&examples.find(function(e){return e.line===current.line;});
if(state&&one&&current.of==='task'){state.className='s '+stateOf(one);state.textContent=WORDS[stateOf(one)];}}
function undo(){
flush().then(function(){return ask('undo');}).then(function(json){
counts(json);if(!json.undone)return;
refused.clear();
if(json.summary)summary(json.summary);
current={of:json.file,line:json.line};
return show().then(function(){
if(json.file==='labels'){var one=differing.find(function(d){return d.line===json.line;});one.rights=view.answers.map(function(a){return a.right;});}
drawList();});}).catch(failed);}
function done(){
flush().then(function(){
if(refused.size&&!confirm('What is not right yet on this page is not saved. End all the same?'))return;
return ask('done').then(function(json){
over=true;
clear(document.body).append(el('main',{class:'over'},[el('h1',{text:'Saved'}),el('p',{text:json.file+' is saved, and the review has ended. This page can be closed.'})]));});}).catch(failed);}
function load(state){
examples=state.examples;differing=state.differing;
at('task').textContent=state.task;counts(state);
var which=at('which'),chosen=which.value;clear(which);
[['','All'],['drafted','Drafts'],['broken','With mistakes'],['edited','Edited'],['checked','Checked'],['deleted','Deleted']]
.concat(state.arms.length>1?[['differs','Lost or gained']]:[],differing.length?[['unlabelled','To label'],['labels','Differing answers']]:[])
.forEach(function(one){which.append(el('option',{value:one[0],text:one[1]}));});
which.value=chosen;fillSlices();fillList();}

var KEYS=[['j k, ↓ ↑','next, previous'],['e','edit what is expected'],['s','slice'],['n','note'],['r','the whole example as JSON (Ctrl-Enter takes it)'],
['a','right as it is: takes the draft mark out, and goes on'],['x','delete, or bring back'],['1 2 3 4','right is: baseline, candidate, both, neither'],['0','take the label back'],
['u','undo'],['Ctrl-S','save'],['/','search'],['Esc','leave a field'],['?','these keys']];
at('keys').append(el('dl',{},[].concat.apply([],KEYS.map(function(k){return [el('dt',{text:k[0]}),el('dd',{text:k[1]})];}))),
el('button',{type:'button',text:'Close',onclick:function(){at('keys').close();}}));
at('theme').addEventListener('click',function(){
var dark=root.dataset.theme?root.dataset.theme==='dark':matchMedia('(prefers-color-scheme: dark)').matches;
root.dataset.theme=dark?'light':'dark';});
at('save').addEventListener('click',save);at('undo').addEventListener('click',undo);at('done').addEventListener('click',done);
at('help').addEventListener('click',function(){at('keys').showModal();});
['find','which','slices'].forEach(function(id){at(id).addEventListener('input',fillList);});
function focus(id){var field=at(id);if(!field)return;var fold=field.closest('details');if(fold)fold.open=true;field.focus();if(field.select&&id!=='raw')field.select();}
document.addEventListener('keydown',function(e){
if(over)return;
if((e.ctrlKey||e.metaKey)&&!e.altKey&&e.key.toLowerCase()==='s'){e.preventDefault();save();return;}
var typing=/^(SELECT|INPUT|TEXTAREA)$/.test(e.target.tagName)&&e.target.type!=='checkbox';
if(e.key==='Escape'&&typing){
if(e.target===at('find')&&e.target.value){e.target.value='';fillList();}
e.target.blur();at('here').focus({preventScroll:true});return;}
if(e.key==='Enter'&&e.target===at('find')&&items.length){e.preventDefault();at('find').blur();go(items[0]);return;}
if(e.ctrlKey||e.metaKey||e.altKey||typing||at('keys').open)return;
var task=current&&current.of==='task',known=true;
if(e.key==='j'||e.key==='ArrowDown')step(1);
else if(e.key==='k'||e.key==='ArrowUp')step(-1);
else if(e.key==='/'){at('fold').open=true;at('find').focus();}
else if(e.key==='?')at('keys').showModal();
else if(e.key==='u')undo();
else if(task&&e.key==='e'){var field=document.querySelector('#expected input:not([type=checkbox]),#expected textarea');if(field){field.focus();if(field.select)field.select();}}
else if(task&&e.key==='s')focus('m-slice');
else if(task&&e.key==='n')focus('m-note');
else if(task&&e.key==='r')focus('raw');
else if(task&&e.key==='a')accept();
else if(task&&e.key==='x')toggle();
else if(current&&!task&&/^[1-4]$/.test(e.key))label(RIGHTS[e.key-1][0]);
else if(current&&!task&&e.key==='0')label(null);
else known=false;
if(known)e.preventDefault();});
addEventListener('beforeunload',function(e){if(!over&&(waiting||refused.size))e.preventDefault();});
if(matchMedia('(max-width:860px)').matches)at('fold').open=false;
ask('state').then(function(state){load(state);if(items.length)return go(items[0]);}).catch(failed);
})();
)js";
}

}  // namespace assay
