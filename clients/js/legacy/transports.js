/**
 * The four ways down. Each is `function (link, first)`: it begins with the frame `first`, tells
 * `link.onevent(event)`, `link.onalive()` and `link.onend(error)`, and returns the way to stop it.
 * `link.session` is the session's key once the server has said it.
 */

var PROTOCOL = "protocol=martlet.v1.json";
/** Seconds that a poll waits: two of them fit in the silence that is borne. */
var POLL_WAIT = 14;
var POLL_GRACE = 4000;
var POLL_TRIES = 4;
/** The browser keeps a stream's whole text, so a stream ends here and is followed by the next. */
var STREAM_LIMIT = 262144;
/** What some browsers hold back before they show anything. */
var PADDING = 2048;

var transports = {
  xhr_stream: xhrStream,
  htmlfile: htmlfile,
  xhr_poll: function (link, first) {
    return polling(link, first, askByXhr);
  },
  jsonp: function (link, first) {
    return polling(link, first, askByScript);
  }
};

/** Which of them this browser has for a server, the better ones first. */
function transportsFor(base) {
  var names = [];
  if (xhrReaches(base) && !window.ActiveXObject) {
    names.push("xhr_stream");
  }
  if (isSameOrigin(base)) {
    names.push("htmlfile");
  }
  names.push(xhrReaches(base) ? "xhr_poll" : "jsonp");
  return names;
}

function xhrStream(link, first) {
  var read = 0;
  function take(text) {
    var end;
    while ((end = text.indexOf("\n", read)) >= 0) {
      var line = text.substring(read, end);
      read = end + 1;
      if (/\S/.test(line)) {
        takeLine(link, line);
      } else {
        link.onalive();
      }
    }
  }
  function progress(text, xhr) {
    if (/x-ndjson/.test(typeOf(xhr))) {
      take(text);
    }
  }
  var query = "?" + PROTOCOL + "&padding=" + PADDING + "&limit=" + STREAM_LIMIT;
  return post(link.base + "/v1/stream" + query, first, progress, function (status, text, type) {
    if (status === 200 && /x-ndjson/.test(type)) {
      take(text);
      link.onend(null);
    } else {
      link.onend(errorIn(text));
    }
  });
}

/** A line that is no JSON comes from somebody else than the server. */
function takeLine(link, line) {
  var event = parsed(line);
  if (event === null) {
    link.onend(null);
  } else {
    link.onevent(event);
  }
}

function parsed(text) {
  try {
    return window.JSON.parse(text);
  } catch (error) {
    return null;
  }
}

/** The error that a refused request has in its body, if the server wrote it. */
function errorIn(text) {
  var body = parsed(text);
  return body !== null && typeof body.code === "number" ? body : null;
}

/** The forever frame: a page that goes on, whose scripts call a function of this one. */
function htmlfile(link, first) {
  var name = "martlet_" + (counter += 1);
  var doc = document;
  var host = window;
  if (window.ActiveXObject) {
    // In a document of its own the page does not look as if it were still loading.
    try {
      doc = new window.ActiveXObject("htmlfile");
      doc.open();
      doc.write("<html><body></body></html>");
      doc.close();
      host = doc.parentWindow;
    } catch (error) {
      doc = document;
    }
  }
  host[name] = function (event) {
    if (event.error && !event.id) {
      link.onend(event.error);
    } else {
      link.onevent(event);
    }
  };
  var frame = doc.createElement("iframe");
  frame.style.display = "none";
  var query = "?callback=" + name + "&" + PROTOCOL + "&limit=" + STREAM_LIMIT;
  frame.src = fresh(link.base + "/v1/htmlfile" + query + "&connect=" + encodeURIComponent(first));
  frame.onload = function () {
    link.onend(null);
  };
  doc.body.appendChild(frame);
  return function () {
    frame.onload = null;
    host[name] = function () {};
    if (frame.parentNode) {
      frame.parentNode.removeChild(frame);
    }
  };
}

/** `ask(link, first, batch, ondone)`: `ondone(list, error)`, a list of `null` when it was lost. */
function polling(link, first, ask) {
  var batch = 0;
  var tries = 0;
  var stopped = false;
  var stopAsking = null;
  var timer = null;

  function next() {
    stopAsking = ask(link, batch === 0 ? first : null, batch, take);
  }

  function take(list, error) {
    if (error) {
      link.onend(error);
    } else if (list === null) {
      again();
    } else {
      tries = 0;
      link.onalive();
      takeBatch(list);
    }
  }

  /** A lost answer is asked for again. The first is not: a second one begins a second session. */
  function again() {
    tries += 1;
    if (batch === 0 || tries >= POLL_TRIES) {
      link.onend(null);
    } else {
      timer = setTimeout(next, 100 + Math.random() * 300 * tries);
    }
  }

  function takeBatch(list) {
    var last = list.length > 0 ? list[list.length - 1].batch : batch;
    var repeated = last <= batch;
    batch = last;
    for (var i = 0; i < list.length && !repeated && !stopped; i++) {
      if (list[i].batch === undefined) {
        link.onevent(list[i]);
      }
    }
    if (!stopped && link.session) {
      timer = setTimeout(next, 0);
    } else if (!stopped) {
      link.onend(null);
    }
  }

  next();
  return function () {
    stopped = true;
    clearTimeout(timer);
    stopAsking();
  };
}

function pollQuery(link, first, batch) {
  return first !== null
    ? PROTOCOL
    : "session=" + encodeURIComponent(link.session) + "&batch=" + batch + "&wait=" + POLL_WAIT;
}

function askByXhr(link, first, batch, ondone) {
  var url = link.base + "/v1/poll?" + pollQuery(link, first, batch);
  function progress() {
    clearTimeout(timer); // It may be long, but it comes.
    link.onalive();
  }
  var stop = post(url, first, progress, function (status, text, type) {
    clearTimeout(timer);
    if (status === 204) {
      ondone([{ batch: batch }], null);
    } else if (status === 200 && /x-ndjson/.test(type)) {
      ondone(linesOf(text), null);
    } else {
      ondone(null, errorIn(text));
    }
  });
  var timer = setTimeout(function () {
    stop();
    ondone(null, null);
  }, POLL_WAIT * 1000 + POLL_GRACE);
  return function () {
    clearTimeout(timer);
    stop();
  };
}

/** `null` unless all of it is there: the last line names the batch. */
function linesOf(text) {
  var list = [];
  var lines = text.split("\n");
  for (var i = 0; i < lines.length; i++) {
    var event = /\S/.test(lines[i]) ? parsed(lines[i]) : undefined;
    if (event === null) {
      return null;
    }
    if (event !== undefined) {
      list.push(event);
    }
  }
  return list.length > 0 && list[list.length - 1].batch !== undefined ? list : null;
}

function askByScript(link, first, batch, ondone) {
  var query = pollQuery(link, first, batch);
  var begin = first === null ? "" : "&connect=" + encodeURIComponent(first);
  var url = link.base + "/v1/jsonp?" + query + begin;
  return jsonp(url, POLL_WAIT * 1000 + POLL_GRACE, function (list) {
    var refused = list !== null && list.length === 1 && list[0].error && !list[0].id;
    ondone(refused ? null : list, refused ? list[0].error : null);
  });
}
