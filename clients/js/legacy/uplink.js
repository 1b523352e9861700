/**
 * The way up: commands in requests of their own, one at a time and in order. A request whose answer
 * was lost is sent again as it stands; the server does no command twice.
 */

/** Old browsers and what is between cut longer addresses. */
var ADDRESS_MAX = 1900;
var SEND_TRIES = 5;
var SEND_LIMIT = 10000;

/** `link.onend(error)` is told when it is to no avail, `ontoolarge(id)` what fits no request. */
function newUplink(link, ontoolarge) {
  var byXhr = xhrReaches(link.base);
  var waiting = [];
  var busy = false;
  var stopped = false;
  var stopAsking = function () {};

  function size(text) {
    var escaped = encodeURIComponent(text);
    return byXhr ? unescape(escaped).length : escaped.length;
  }

  function room() {
    var address = link.base.length + encodeURIComponent(link.session).length + 120;
    return byXhr ? link.frameBytes : ADDRESS_MAX - address;
  }

  /** As many commands as fit, joined; "" for none. */
  function next() {
    var frame = "";
    while (waiting.length > 0) {
      var text = waiting[0].text;
      var joined = frame === "" ? text : frame + "\n" + text;
      if (size(joined) <= room()) {
        frame = joined;
        waiting.shift();
      } else if (frame === "") {
        ontoolarge(waiting.shift().id);
      } else {
        break;
      }
    }
    return frame;
  }

  function drain() {
    if (busy || stopped || !link.session) {
      return;
    }
    var frame = next();
    if (frame !== "") {
      busy = true;
      attempt(frame, 1);
    }
  }

  function attempt(frame, number) {
    var ask = byXhr ? sendByXhr : sendByScript;
    stopAsking = ask(link, frame, function (taken, error) {
      if (stopped) {
        return;
      }
      if (taken) {
        busy = false;
        drain();
      } else if (error || number >= SEND_TRIES) {
        link.onend(error);
      } else {
        var wait = 100 + Math.random() * 100 * Math.pow(2, number);
        setTimeout(function () {
          if (!stopped) {
            attempt(frame, number + 1);
          }
        }, wait);
      }
    });
  }

  return {
    send: function (id, text) {
      waiting.push({ id: id, text: text });
      // Not yet: what is asked in one turn goes together.
      setTimeout(drain, 0);
    },
    drain: drain,
    stop: function () {
      stopped = true;
      stopAsking();
    }
  };
}

function sendByXhr(link, frame, ondone) {
  var url = link.base + "/v1/send?session=" + encodeURIComponent(link.session);
  var stop = post(url, frame, null, function (status, text) {
    clearTimeout(timer);
    ondone(status === 204, errorIn(text));
  });
  var timer = setTimeout(function () {
    stop();
    ondone(false, null);
  }, SEND_LIMIT);
  return stop;
}

function sendByScript(link, frame, ondone) {
  var query = "session=" + encodeURIComponent(link.session) + "&send=" + encodeURIComponent(frame);
  return jsonp(link.base + "/v1/jsonp?" + query, SEND_LIMIT, function (list) {
    var error = list !== null && list.length > 0 ? list[0].error : null;
    ondone(list !== null && !error, error);
  });
}
