// leadhub.js: remembers where a visitor came from and keeps a sent form until the hub has it.
// This is the source; `python -m web.leadhub_js` makes leadhub.js of it. How to use it: docs/leadhub-js.md.
// ES5 and no dependency, so that it also runs where a visitor's browser is old. What it must not lose is
// written first and sent after; what fails is tried again; nothing it does may break the page it is on.
(function (w, d) {
  var script = d.currentScript || d.querySelector('script[src*="leadhub.js"]'), api = w.leadhub = w.leadhub || {};
  // Twice on one page is once.
  if (!script || api.send) return;

  var MARKS = ('utm_source utm_medium utm_campaign utm_content utm_term ' +
    'gclid gbraid wbraid yclid ymclid fbclid msclkid ttclid rb_clickid').split(' ');
  var COOKIES = ['_ym_uid', '_ga', 'roistat_visit', '_fbp', '_fbc'];
  // Pages that send a visitor back in the middle of a visit: no source of visitors.
  var PAYMENT = /(^|\.)(yookassa|yoomoney|stripe|paypal|cloudpayments|robokassa|tinkoff|tbank|sberbank)\./;
  var QUEUE = 'leadhub.q.', KEPT = 50, WEEK = 6048e5, MARK = 'data-leadhub', FIRST = 'leadhub_first', LAST = 'leadhub_last';
  var memory = {}, busy = {}, refused = {}, fails = 0, timer, lastData, lastAt;
  var place = location, encode = encodeURIComponent, decode = decodeURIComponent, json = JSON.stringify, keys = Object.keys;

  function attr(el, name) {
    return el.getAttribute(name);
  }
  function on(target, event, listener) {
    // Capture: before the page's own handlers read the form.
    target.addEventListener(event, listener, true);
  }
  function now() {
    return +new Date();
  }
  function iso() {
    return new Date().toISOString();
  }

  // --- settings, from the script's own tag or address ------------------------------------------

  function param(url, name) {
    var match = new RegExp('[?&]' + name + '=([^&#]*)', 'i').exec(url), value = match ? match[1].replace(/\+/g, ' ') : '';
    try { return decode(value); } catch (e) { return value; }
  }
  function option(name) {
    return attr(script, 'data-' + name) || param(script.src, name);
  }
  var hub = (option('hub') || script.src.replace(/[?#].*/, '').replace(/\/[^\/]*$/, '')) + '/in/';
  var key = option('key'), token = option('token'), trap = option('honeypot') || 'leadhub_hp';
  var everyForm = attr(script, 'data-all') != null || option('all');
  var address = hub + encode(option('source') || 'site') + (token && '/' + encode(token)) + (key && '?key=' + encode(key));

  // --- storage: localStorage, or memory where that is blocked or full --------------------------

  function store() {
    return w.localStorage;
  }
  function put(name, value) {
    try { store().setItem(name, value); return 1; } catch (e) { memory[name] = value; }
  }
  function get(name) {
    var value;
    try { value = store().getItem(name); } catch (e) {}
    return value || memory[name] || '';
  }
  function drop(name) {
    delete memory[name];
    try { store().removeItem(name); } catch (e) {}
  }
  function queued() {
    // One name for one lead, so that two open pages cannot overwrite each other's.
    var names = keys(memory), i = 0;
    try { for (; i < store().length; i++) names.push(store().key(i)); } catch (e) {}
    return names.filter(function (name) { return !name.indexOf(QUEUE); }).sort();
  }
  function cookie(name) {
    try { return decode(('; ' + d.cookie).split('; ' + name + '=')[1].split(';')[0]); } catch (e) { return ''; }
  }

  // --- first and last touch -----------------------------------------------------------------

  function under(a, b) {
    return ('.' + a).slice(-b.length - 1) == '.' + b;
  }
  function foreign(host) {
    var here = place.hostname.replace(/^www\./, '');
    host = host.replace(/^www\./, '');
    return !under(host, here) && !under(here, host) && !PAYMENT.test(host);
  }
  function remember(name, touch) {
    touch = json(touch);
    if (put(name, touch)) return;
    try {
      d.cookie = name + '=' + encode(touch) + ';path=/;max-age=31536000;SameSite=Lax' +
        (/^https/.test(place) ? ';Secure' : '');
    } catch (e) {}
  }
  function recall(name) {
    return get(name) || cookie(name);
  }
  function look() {
    var touch = { at: iso(), landing_page: place.href.split('#')[0].slice(0, 300) }, link = d.createElement('a'), told;
    MARKS.forEach(function (mark) {
      var value = param(place.search, mark).slice(0, 150);
      if (value) told = touch[mark] = value;
    });
    link.href = d.referrer;
    if (d.referrer && foreign(link.hostname)) told = touch.referrer = d.referrer.slice(0, 300);
    if (!recall(FIRST)) remember(FIRST, touch);
    // A direct visit tells nothing and hides nothing.
    if (told || !recall(LAST)) remember(LAST, touch);
  }
  function context() {
    var fields = { page_url: place.href, lh_first: recall(FIRST), lh_last: recall(LAST) }, last = {};
    try { last = JSON.parse(fields.lh_last); } catch (e) {}
    MARKS.concat('referrer').forEach(function (name) { if (last[name]) fields[name] = last[name]; });
    COOKIES.forEach(function (name) { if (cookie(name)) fields[name] = cookie(name); });
    return fields;
  }

  // --- the queue: a lead is held until the hub has answered 2xx ----------------------------------

  function post(url, body, fresh, done) {
    var control = w.AbortController && new AbortController, request;
    if (w.fetch) {
      setTimeout(function () { if (control) control.abort(); }, 3e4);
      // Text needs no preflight. keepalive outlives the page, but browsers limit it to 64 KB.
      fetch(url, {
        method: 'POST', body: body, keepalive: fresh && body.length < 2e4, signal: control && control.signal
      }).then(function (answer) {
        return answer.text().then(function (text) { done(answer.status, text); });
      })['catch'](function () { done(0); });
    } else {
      request = new XMLHttpRequest();
      request.open('POST', url);
      request.timeout = 3e4;
      request.onloadend = function () { done(request.status, request.responseText); };
      request.send(body);
    }
  }
  function tell(name, a, b) {
    try { api[name](a, b); } catch (e) {}
  }
  function push(name, fresh, sent) {
    var kept = get(name), cut = kept.indexOf('\n'), url = kept.slice(0, cut);
    if (!kept || busy[name] || refused[name]) return;
    if (now() - parseInt(name.slice(QUEUE.length), 36) > WEEK) return drop(name);
    // The key may have been changed since.
    if (url.split('?')[0] == address.split('?')[0]) url = address;
    busy[name] = 1;
    post(url, kept.slice(cut + 1), fresh, function (status, text) {
      busy[name] = 0;
      if (/^2/.test(status)) {
        drop(name);
        fails = 0;
        try { text = JSON.parse(text); } catch (e) {}
        tell('onsent', name.split('.').pop(), text);
        if (sent) sent();
      } else if (/^4(?!08|25|29)/.test(status)) {
        // Not again on this page. A wrong key or source is mended at the hub: with 401, 403, 404 the next visit tries.
        refused[name] = 1;
        if (status == 400 || status > 404) drop(name);
      } else if (!timer) {
        timer = setTimeout(flush, Math.min(1e3 * Math.pow(2, fails++), 3e5) * (0.5 + Math.random() / 2));
      }
    });
  }
  function flush() {
    clearTimeout(timer);
    timer = 0;
    queued().forEach(function (name) { push(name); });
  }
  function chance() {
    return Math.random().toString(36).slice(2);
  }
  function send(data, sent) {
    var lead = context(), moment = now().toString(36), name;
    lead.submitted_at = iso();
    keys(data).forEach(function (field) { lead[field] = data[field]; });
    lead.lead_uid = '' + (lead.lead_uid || moment + '-' + chance() + chance());
    name = QUEUE + moment + '.' + lead.lead_uid.replace(/\./g, '_');
    put(name, address + '\n' + json(lead));
    queued().slice(0, -KEPT).forEach(drop);
    tell('onqueued', lead.lead_uid, lead);
    push(name, true, sent);
    return lead.lead_uid;
  }

  // --- forms ------------------------------------------------------------------------------------

  function toHub(form) {
    return !(attr(form, 'action') || '').indexOf(hub);
  }
  function ours(form) {
    return attr(form, MARK) != null || everyForm || toHub(form);
  }
  function skipped(form) {
    return attr(form, MARK) == 'off' || form.querySelector('[type=password],[type=search]') || attr(form, 'role') == 'search' ||
      (/get/i.test(attr(form, 'method')) && attr(form, MARK) == null);
  }
  function named(form, name) {
    return form.querySelector('[name="' + name + '"]');
  }
  function input(form, type, name) {
    var made = d.createElement('input');
    made.type = type;
    made.name = name;
    return form.appendChild(made);
  }
  function prepare(form) {
    var fields = context(), bait;
    if (skipped(form)) return;
    keys(fields).forEach(function (name) {
      var held = named(form, name) || input(form, 'hidden', name);
      if (held.type == 'hidden' && (!held.value || held.lh)) {
        held.value = fields[name];
        held.lh = 1;
      }
    });
    if (ours(form) && !named(form, trap)) {
      bait = input(form, 'text', trap);
      bait.tabIndex = -1;
      bait.autocomplete = 'off';
      bait.setAttribute('aria-hidden', 'true');
      // Set one by one: a strict CSP forbids a style attribute, not this.
      bait.style.position = 'absolute';
      bait.style.left = '-9999px';
    }
  }
  function list(items, part) {
    return [].map.call(items, function (item) { return item[part]; });
  }
  function read(form) {
    var data = {}, title = attr(form, MARK) || attr(form, 'name') || attr(form, 'id');
    [].forEach.call(form.elements, function (el) {
      var name = el.name, value = el.value;
      if (!name || el.disabled || name == '_redirect' || /^(password|submit|button|image|reset)$/.test(el.type) ||
        /^cc-/.test(el.autocomplete) || (/^(checkbox|radio)$/.test(el.type) && !el.checked)) return;
      if (el.files) value = list(el.files, 'name').join(', ');
      if (el.multiple && el.selectedOptions) value = list(el.selectedOptions, 'value');
      data[name] = name in data ? [].concat(data[name], value) : value;
    });
    if (title && !data.form) data.form = title;
    return data;
  }
  function onSubmit(event) {
    var form = event.target, data, same, next, leave;
    if (skipped(form)) return;
    prepare(form);
    if (!ours(form)) return;
    if (toHub(form) || (attr(form, MARK) != null && !attr(form, 'action') && !/post/i.test(attr(form, 'method')))) {
      event.preventDefault();
      next = (named(form, '_redirect') || {}).value;
      leave = next && function () {
        if (next) place.href = next;
        next = '';
      };
    }
    // A form that validates itself did not let this one through.
    if (form.noValidate && form.querySelector(':invalid')) return;
    data = read(form);
    same = json(data);
    // A double click is one lead.
    if (same == lastData && now() - lastAt < 6e4) return;
    lastData = same;
    lastAt = now();
    send(data, leave);
    if (leave) setTimeout(leave, 3e3);
    else if (event.defaultPrevented) form.reset();
  }
  function onFocus(event) {
    if (event.target.form) prepare(event.target.form);
  }
  function onReady() {
    [].forEach.call(d.forms, prepare);
  }

  look();
  api.send = send;
  api.fields = context;
  api.flush = flush;
  on(w, 'submit', onSubmit);
  on(w, 'focusin', onFocus);
  on(w, 'online', flush);
  on(d, 'visibilitychange', function () { if (!d.hidden) flush(); });
  if (d.readyState == 'loading') on(d, 'DOMContentLoaded', onReady);
  else onReady();
  flush();
})(window, document);
