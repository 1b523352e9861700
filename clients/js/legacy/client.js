/**
 * The client: one session that follows channels and publishes, comes back with its grant and its
 * positions, and says what is missing. What the main client does besides is not here.
 */

/** How long a transport may take to bring `connected` before the next one is tried, at first. */
var FIRST_LIMIT = 4000;
var WAIT_MIN = 250;
/** The first wait after a connection that lived is anything up to this. */
var FIRST_WAIT = 1500;
/** A connection that lived this long was a success. */
var STEADY = 5000;
var WAIT_MAX = 20000;
/** Coming back at once twice within this time would be a loop. */
var LOOP = 1000;

function newClient(url, options) {
  var base = url.replace(/\/+$/, "");
  var names = options.transport ? [options.transport] : transportsFor(base);
  var channels = options.channels || [];
  var places = {};
  var asks = {};
  var lastId = 0;
  var at = 0;
  var fails = 0;
  var grant = null;
  var session = null;
  var link = null;
  var uplink = null;
  var stopDown = null;
  var timer = null;
  var silence = 35000;
  var heard = 0;
  var begun = 0;
  var liveSince = 0;
  var atOnce = 0;
  var live = false;
  var closed = false;
  var client = { state: "disconnected", transport: null, publish: publish, close: close };

  function tell(name, body) {
    if (options[name]) {
      options[name](body);
    }
  }

  function state(name, why, retryIn) {
    client.state = name;
    client.transport = name === "connected" ? names[at] : null;
    var told = { state: name, transport: client.transport };
    told.code = why ? why.code : 0;
    told.name = why ? why.name : name;
    told.message = why ? why.message : "";
    if (retryIn !== undefined) {
      told.retryIn = retryIn;
    }
    tell("onstate", told);
  }

  function encode(id, name, body) {
    return '{"id":' + id + ',"' + name + '":' + body + "}";
  }

  // Connecting.

  function connectFrame() {
    var body = { agent: "martlet-legacy/0.1.0" };
    if (grant !== null) {
      body.grant = grant;
      body.session = session;
    } else if (options.token) {
      body.token = options.token;
    }
    var list = [];
    for (var i = 0; i < channels.length; i++) {
      var place = places[channels[i]];
      list.push(
        place
          ? { channel: channels[i], epoch: place.epoch, offset: place.offset }
          : { channel: channels[i] }
      );
    }
    if (list.length > 0) {
      body.subscribe = list;
    }
    lastId += 1;
    return encode(lastId, "connect", window.JSON.stringify(body));
  }

  function dial() {
    begun = now();
    var own = { base: base, session: null };
    own.onevent = function (event) {
      if (own === link) {
        heard = now();
        handleEvent(event);
      }
    };
    own.onalive = function () {
      heard = now();
    };
    own.onend = function (error) {
      if (own === link) {
        handleEnd(error);
      }
    };
    link = own;
    uplink = newUplink(own, handleTooLarge);
    wait(FIRST_LIMIT * (1 + fails), function () {
      handleEnd(null);
    });
    var stop = transports[names[at]](own, connectFrame());
    if (own === link) {
      stopDown = stop;
    } else {
      stop(); // It has ended while it began.
    }
  }

  function wait(time, then) {
    clearTimeout(timer);
    timer = setTimeout(then, time);
  }

  function hangUp() {
    clearTimeout(timer);
    live = false;
    link = null;
    if (uplink !== null) {
      uplink.stop();
    }
    if (stopDown !== null) {
      stopDown();
    }
    uplink = stopDown = null;
  }

  function watch() {
    var left = heard + silence - now();
    if (left <= 0) {
      handleEnd({ code: 0, name: "silent", message: "The server gave no sign of life." });
    } else {
      wait(Math.min(left, 5000), watch);
    }
  }

  // Losing it, and coming back.

  function handleEnd(error) {
    var lived = live;
    hangUp();
    if (!lived && error && error.code >= 1100 && error.code <= 1199) {
      handleRefused(error);
      return;
    }
    if (!lived) {
      at = (at + 1) % names.length; // Another transport may do better.
    }
    comeBack(error, error ? error.after : undefined);
  }

  function handleRefused(error) {
    if (grant !== null) {
      grant = session = null;
      comeBack(error, undefined);
    } else {
      stop(error);
    }
  }

  function comeBack(why, after) {
    var lived = liveSince > 0 ? now() - liveSince : -1;
    var steady = lived >= STEADY;
    liveSince = 0;
    if (steady) {
      fails = 0;
    }
    var soon = after === 0 && now() - atOnce >= LOOP;
    if (soon) {
      atOnce = now();
      dial();
      return;
    }
    var ceiling = Math.min(WAIT_MAX, WAIT_MIN * Math.pow(2, fails + 1));
    var random = Math.random();
    var time = WAIT_MIN + (ceiling - WAIT_MIN) * random;
    if (after > 0) {
      time = Math.max(after, begun + LOOP - now());
    } else if (lived >= 0) {
      // Everybody may have lost it in this moment.
      time = Math.max(1 + FIRST_WAIT * random, steady ? 0 : time);
    }
    fails = steady ? 0 : Math.min(fails + 1, 10);
    state("disconnected", why, time);
    if (!closed) {
      wait(time, begin);
    }
  }

  function begin() {
    state("connecting");
    dial();
  }

  function stop(why) {
    closed = true;
    hangUp();
    for (var id in asks) {
      if (asks.hasOwnProperty(id)) {
        settle(id, why, null);
      }
    }
    state("disconnected", why);
  }

  function close() {
    if (!closed) {
      stop({ code: 0, name: "closed", message: "The client was closed." });
    }
  }

  // What the server says.

  function handleEvent(event) {
    if (event.connected) {
      handleConnected(event.connected);
    } else if (event.publication) {
      handlePublication(event.publication);
    } else if (event.subscribed) {
      places[event.subscribed.channel] = placeOf(event.subscribed);
    } else if (event.gap) {
      places[event.gap.channel] = placeOf(event.gap);
      tell("ongap", event.gap);
    } else if (event.published) {
      settle(event.id, null, event.published);
    } else if (event.grant) {
      grant = event.grant.grant;
    } else if (event.ping) {
      uplink.send(0, '{"pong":{}}');
    } else if (event.error) {
      handleError(event.id, event.error);
    } else if (event.close) {
      handleClose(event.close);
    }
  }

  function placeOf(position) {
    return { epoch: position.epoch, offset: position.offset };
  }

  function handleConnected(connected) {
    grant = connected.grant;
    session = link.session = connected.session;
    link.frameBytes = connected.frame_bytes;
    silence = connected.ping + connected.pong;
    liveSince = now();
    live = true;
    if (client.state !== "connected") {
      state("connected");
    }
    client.transport = names[at];
    sendAll();
    uplink.drain();
    watch();
  }

  function handlePublication(publication) {
    var place = places[publication.channel];
    var same = place && place.epoch === publication.epoch;
    if (!place || (same && publication.offset <= place.offset)) {
      return;
    }
    if (!same || publication.offset > place.offset + 1) {
      // The server says so before it leaves something out; that it did not must not be hidden.
      var gap = { channel: publication.channel, from: place.offset + 1, reason: "hole" };
      gap.epoch = publication.epoch;
      gap.offset = publication.offset - 1;
      tell("ongap", gap);
    }
    places[publication.channel] = placeOf(publication);
    tell("onpublication", publication);
  }

  function handleError(id, error) {
    if (!live) {
      handleConnectRefused(error);
    } else if (!settle(id, error, null)) {
      tell("onerror", error);
    }
  }

  function handleConnectRefused(error) {
    hangUp();
    if (error.temporary) {
      comeBack(error, error.after);
    } else {
      handleRefused(error);
    }
  }

  function handleClose(close) {
    hangUp();
    if (close.reconnect) {
      comeBack(close, close.after);
    } else {
      stop(close);
    }
  }

  // Publishing.

  function publish(channel, data, callback) {
    var key = "l" + Math.random().toString(36).substring(2) + now().toString(36);
    var body = window.JSON.stringify({ channel: channel, data: data, key: key });
    lastId += 1;
    asks[lastId] = { body: body, callback: callback };
    if (closed) {
      settle(lastId, { code: 0, name: "closed", message: "The client is closed." }, null);
    } else if (live) {
      uplink.send(lastId, encode(lastId, "publish", body));
    }
  }

  /** With new numbers, which must rise; the keys see to it that nothing is published twice. */
  function sendAll() {
    var before = asks;
    asks = {};
    for (var id in before) {
      if (before.hasOwnProperty(id)) {
        lastId += 1;
        asks[lastId] = before[id];
        uplink.send(lastId, encode(lastId, "publish", before[id].body));
      }
    }
  }

  function settle(id, error, receipt) {
    var ask = asks[id];
    delete asks[id];
    if (ask && ask.callback) {
      ask.callback(error, receipt);
    }
    return ask !== undefined;
  }

  function handleTooLarge(id) {
    settle(id, { code: 0, name: "frame_too_large", message: "This is too large to send." }, null);
  }

  begin();
  return client;
}

window.MartletLegacy = { connect: newClient, transportsFor: transportsFor };
