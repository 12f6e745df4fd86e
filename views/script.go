package views

import (
	"crypto/sha256"
	"encoding/base64"

	"github.com/a-h/templ"
)

// A script is one of the tiny inline scripts. They stand in the layout, each
// once and only on the pages that use it, and listen on the whole document:
// scripts inside a swapped fragment would not run. The page's
// Content-Security-Policy allows them by their hashes. Everything works without
// them.
type script string

const (
	// submitScript marks a form as busy and keeps a double click from sending
	// it twice.
	submitScript script = `addEventListener('submit',e=>{let f=e.target;if(e.defaultPrevented)return;` +
		`if(f.getAttribute('aria-busy'))return e.preventDefault();` +
		`f.setAttribute('aria-busy',true);setTimeout(()=>f.removeAttribute('aria-busy'),8e3)})`

	// codeScript sends a form when six digits stand in a code field that says so, and says so to people. A tab never
	// sends one code twice by itself, however often it is filled in: the last one is kept for its other pages. What has
	// letters, or four digits and a hyphen, may become a recovery code and is left alone.
	codeScript script = `(()=>{let d=document,last='',s={};try{s=sessionStorage}catch{}` +
		`let tell=()=>d.querySelectorAll('[data-code]').forEach(f=>{let h=d.getElementById(f.id+'-sends');if(h.hidden){h.hidden=0;` +
		`f.setAttribute('aria-describedby',((f.getAttribute('aria-describedby')||'')+' '+h.id).trim())}});` +
		`addEventListener('input',e=>{let f=e.target,c=f.value;if(!('code'in f.dataset)||f.form.hasAttribute('aria-busy')||` +
		`!/^(?!\d{4}-)([^\p{L}\p{N}]*\p{Nd}){6}[^\p{L}\p{N}]*$/u.test(c))return;c=c.replace(/\P{Nd}/gu,'');` +
		`if(c==last||c==s.code)return;last=s.code=c;f.form.requestSubmit()});` +
		`addEventListener('htmx:after:swap',tell);tell()})()`

	// timerScript counts the seconds of a wait down. The text beside it has
	// said how long already.
	timerScript script = `setInterval(()=>document.querySelectorAll('[data-seconds]').forEach(e=>{let d=e.dataset,` +
		`n=Math.round(((d.end||=Date.now()+d.seconds*1e3)-Date.now())/1e3),m=Math.ceil(n/60);` +
		`e.textContent=n<1?d.then:d.text+(n>90?m+' minutes':n+(n>1?' seconds':' second'));e.hidden=0}),1e3)`

	// timeScript puts instants into the browser's own zone, in swapped fragments too.
	timeScript script = `(()=>{let local=()=>document.querySelectorAll('time:not([title])').forEach(e=>{e.title=e.textContent;` +
		`let t=e.dataset.time;e.textContent=new Date(e.dateTime).toLocaleString('en-GB',` +
		`t=='clock'?{timeStyle:'medium'}:{dateStyle:'medium',timeStyle:t})});` +
		`local();addEventListener('htmx:after:swap',local)})()`

	// dayScript puts a head above the rows of each day of the browser's own zone, in place of those of UTC.
	dayScript script = `document.querySelectorAll('[data-days]').forEach(t=>{let last,head;t.querySelectorAll('tbody tr').forEach(r=>{` +
		`if(r.className=='table__day'){head=r;return r.remove()}` +
		`let w=r.querySelector('time'),day=new Date(w.dateTime).toLocaleDateString('en-GB',{weekday:'long',day:'numeric',month:'short',year:'numeric'});` +
		`if(day==last)return;last=day;let h=head.cloneNode(true);h.firstElementChild.textContent=day;r.before(h)})})`

	// strengthScript says how hard a new password is to guess, while it is typed and to nobody else. What counts is the length (NIST SP
	// 800-63B-4), without what repeats or goes on by itself and without words of the form's other fields; only the
	// server knows which are common. It is announced when it changes and typing pauses.
	strengthScript script = `(()=>{let d=document,timer,` +
		`level=(p,known)=>{let s=[...p.normalize('NFKC')],t=p.toLowerCase(),n=0;if(s.length<8)return 0;` +
		`for(let w of known)t=t.split(w).join('');` +
		`let c=[...t].map(x=>x.codePointAt());c.forEach((x,i)=>{let a=x-c[i-1],b=c[i-1]-c[i-2];n+=i&&(!a||i>1&&a==b&&a*a==1)?.2:1});` +
		`n=Math.min(n,new Set(c).size*2);return n<8?1:n<12?2:n<16?3:4};` +
		`addEventListener('input',e=>{let i=e.target,m=i.form?.querySelector('[data-strength]');if(!m||i.id!=m.dataset.strength)return;` +
		`let known=[...i.form.elements].filter(x=>x!=i&&x.type!='password'&&x.name!='as').flatMap(x=>x.value.toLowerCase().split(/[^\p{L}\p{N}]+/u)).filter(w=>w.length>2),` +
		`l=level(i.value,known);m.hidden=!i.value;m.dataset.level=l;let s=m.querySelector('[data-strength-said]'),text=m.dataset['say'+l];` +
		`clearTimeout(timer);timer=setTimeout(()=>{if(s.textContent!=text)s.textContent=text},i.value?400:0)})})()`

	// cardScript goes with htmx: it marks the form that is busy, and tells when
	// the server is gone or has failed. What the answer tells is put into a live region
	// that was on the page before, since screen readers pass over one that comes with its
	// words in it. Where the answer asks for no focus and has taken away what had it, its
	// message takes it; where nothing was swapped, the button that was pressed.
	cardScript script = `(()=>{let d=document,a=addEventListener,from,card,say=t=>d.getElementById('announcer').textContent=t,` +
		`s=k=>{let e=d.getElementById('fault');e.textContent=k?e.dataset[k]:''},` +
		`b=(e,f)=>e.detail.ctx.sourceElement[f]('aria-busy',true),` +
		`told=()=>card?[...d.getElementById(card).querySelectorAll('[role=alert],[role=status]')]:[],` +
		`aim=()=>setTimeout(()=>{if(d.activeElement!=d.body)return;let e=from!=d.body&&from.isConnected?from:told()[0];` +
		`if(e){if(e!=from)e.tabIndex=-1;e.focus()}});` +
		`a('htmx:before:request',e=>{s();say('');card='';from=d.activeElement;b(e,'setAttribute')});` +
		`a('htmx:after:swap',e=>{let i=e.detail.ctx.target.id;if(i=='fault')return;card=i;aim();setTimeout(()=>` +
		`say(told().map(e=>(e.querySelector('h2')||e).textContent).join(' ').replace(/\s+/g,' ').trim()))});` +
		`a('htmx:finally:request',e=>{b(e,'removeAttribute');aim()});` +
		`a('htmx:response:error',e=>{if(e.detail.ctx.response.status>499)s('failed')});` +
		`a('htmx:error',()=>s('gone'))})()`

	// secretScript serves what is shown once: copying, downloading, printing,
	// the warning before leaving, and wiping the page on leaving. Whoever stays
	// after the warning can send the form again at once: the timer runs when the
	// browser's question has been answered.
	secretScript script = `(()=>{let d=document,a=addEventListener,all=s=>[...d.querySelectorAll(s)],go=0,` +
		`live=()=>all('[data-live]').forEach(e=>e.hidden=0),panel=()=>d.querySelector('[data-codes]'),` +
		`saved=v=>{let p=panel();if(p)p.dataset.saved=v},leave=()=>{go=1;setTimeout(()=>go=0,3e3)},` +
		`texts=s=>all(s).map(e=>e.localName=='pre'?e.textContent:e.textContent.replace(/\s/g,'')),` +
		`copy=async b=>{let s=b.dataset.copy,t=texts(s).join('\n'),ok=0;` +
		`try{await navigator.clipboard.writeText(t);ok=1}catch{let x=d.createElement('textarea');x.className='offscreen';x.readOnly=true;x.value=t;` +
		`b.after(x);x.select();try{ok=d.execCommand('copy')}catch{}x.remove();b.focus()}` +
		`if(!ok){let e=all(s),r=d.createRange(),g=getSelection();r.setStartBefore(e[0]);r.setEndAfter(e.at(-1));g.removeAllRanges();g.addRange(r)}` +
		`(b.parentNode.querySelector('[data-said]')||b).textContent=b.dataset[ok?'done':'else'];if(ok&&s!='#secret')saved(1)},` +
		`save=()=>{let p=panel().dataset,l=d.createElement('a');l.href=URL.createObjectURL(new Blob([p.head+d.querySelector('[data-codes] time').textContent+'\n\n'+` +
		`texts('#recovery-codes li').map((c,i)=>i+1+'. '+c).join('\n')+'\n\n'+p.foot+'\n'],{type:'text/plain'}));` +
		`l.download=p.file;l.click();setTimeout(()=>URL.revokeObjectURL(l.href),9e3);saved(1)};` +
		`a('click',e=>{let b=e.target.closest('[data-copy],[data-download],[data-print],[data-leave]');if(!b)return;let s=b.dataset;` +
		`if('copy'in s)copy(b);else if('download'in s)save();else if('print'in s){print();saved(1)}else leave()});` +
		`a('change',e=>{if('tick'in e.target.dataset)saved(e.target.checked?1:'')});` +
		`a('submit',e=>{if(!e.defaultPrevented&&e.target.closest('#two-factor'))leave()});` +
		`a('htmx:before:response',e=>{if(e.detail.ctx.hx.redirect)leave()});` +
		`a('htmx:after:swap',live);live();` +
		`a('beforeunload',e=>{let p=panel();if(!go&&(d.querySelector('[data-pending]')||p&&!p.dataset.saved)){e.preventDefault();` +
		`setTimeout(()=>all('form[aria-busy]').forEach(f=>f.removeAttribute('aria-busy')))}});` +
		`a('pagehide',()=>all('#secret,#recovery-codes,#link,.qr,[data-leave]').forEach(e=>e.remove()));` +
		`a('pageshow',e=>{if(e.persisted)location.replace(location.pathname+location.search)})})()`

	// passkeyScript runs the browser's ceremonies. The field for an answer holds what the browser is asked
	// for, or the address that has it; when its form is sent without an answer, the browser is called first. On the sign-in page passkeys
	// are suggested in the field for the e-mail address as well, until somebody does something else; what is asked for
	// is fetched anew before it expires. Then the browser's own list of passkeys is told of those that are gone.
	passkeyScript script = `(()=>{let d=document,a=addEventListener,P=window.PublicKeyCredential,N=navigator.credentials,busy=0,ask,` +
		`all=s=>[...d.querySelectorAll(s)],` +
		`out=b=>btoa(String.fromCharCode(...new Uint8Array(b))).replace(/\+/g,'-').replace(/\//g,'_').replace(/=/g,''),` +
		`into=t=>Uint8Array.from(atob(t.replace(/-/g,'+').replace(/_/g,'/')),c=>c.charCodeAt(0)),` +
		`options=i=>{let o=JSON.parse(i.dataset.options);o.challenge=into(o.challenge);if(o.user)o.user.id=into(o.user.id);` +
		`for(let k of ['allowCredentials','excludeCredentials'])for(let c of o[k]||[])c.id=into(c.id);return{publicKey:o}},` +
		`answer=c=>{let r=c.response,x={};for(let k of ['clientDataJSON','attestationObject','authenticatorData','signature','userHandle'])` +
		`if(r[k])x[k]=out(r[k]);if(r.getTransports)x.transports=r.getTransports();` +
		`return JSON.stringify({id:out(c.rawId),rawId:out(c.rawId),type:c.type,authenticatorAttachment:c.authenticatorAttachment||undefined,` +
		`response:x,clientExtensionResults:c.getClientExtensionResults()})},` +
		`send=(i,c)=>{i.value=answer(c);i.form.requestSubmit()},` +
		`fresh=async i=>{let r=await fetch(i.dataset.begin,{method:'POST'});if(!r.ok)throw r;i.dataset.options=await r.text()},` +
		`suggest=async()=>{let i=d.querySelector('[data-begin]');if(!i||!P||busy)return;try{await fresh(i);` +
		`if(busy||!P.isConditionalMediationAvailable||!await P.isConditionalMediationAvailable()||busy)return;ask?.abort();ask=new AbortController();` +
		`send(i,await N.get({...options(i),mediation:'conditional',signal:ask.signal}))}catch{}},` +
		`show=()=>{all('[data-passkey-form]').forEach(e=>{if(e.hidden&&P){e.hidden=0;e.querySelector('[data-focus]')?.focus()}});` +
		`all('[data-passkey-none]').forEach(e=>e.hidden=!!P);` +
		`all('[data-signal]').forEach(e=>{let s=JSON.parse(e.dataset.signal),n=s.credentialId?'signalUnknownCredential':'signalAllAcceptedCredentials';` +
		`e.remove();P?.[n]?.(s).catch?.(()=>{})})};` +
		`a('submit',async e=>{let f=e.target,i=f.elements.credential,k=i?.dataset.passkey;if(!k||i.value)return;e.preventDefault();` +
		`e.stopImmediatePropagation();if(busy)return;busy=1;ask?.abort();let s=f.querySelector('[data-said]'),b=f.querySelector('[type=submit]');` +
		`s.textContent='';b.setAttribute('aria-busy',true);try{if(!i.dataset.options)await fresh(i);send(i,await N[k](options(i)))}` +
		`catch(x){s.textContent=s.dataset[{InvalidStateError:'exists',NotAllowedError:'stopped',AbortError:'stopped'}[x.name]]||s.dataset.failed}` +
		`busy=0;b.removeAttribute('aria-busy');if(s.textContent)suggest()},true);` +
		`a('pageshow',()=>all('[data-passkey]').forEach(i=>i.value=''));` +
		`a('visibilitychange',()=>d.hidden||suggest(),true);setInterval(suggest,24e4);` +
		`a('htmx:after:swap',show);show();suggest()})()`
)

// scripts lists every script that a page may hold.
var scripts = []script{submitScript, codeScript, timerScript, timeScript, dayScript, strengthScript, cardScript,
	secretScript, passkeyScript}

// ScriptHashes returns the source expression of each inline script for the
// Content-Security-Policy, quotes included: 'sha256-…'.
func ScriptHashes() []string {
	out := make([]string, 0, len(scripts))
	for _, s := range scripts {
		sum := sha256.Sum256([]byte(s))
		out = append(out, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	}
	return out
}

func (s script) tag() templ.Component { return templ.Raw("<script>" + string(s) + "</script>") }
