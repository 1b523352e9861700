/**
 * Requests as old browsers can make them: by XMLHttpRequest, or by a script element where that may
 * not cross to another origin. Parts of one script; see build.mjs.
 */

var counter = 0;

function now() {
  return new Date().getTime();
}

/** A request that nothing between has seen before, so that nothing answers it from memory. */
function fresh(url) {
  counter += 1;
  return url + (url.indexOf("?") < 0 ? "?" : "&") + "_=" + now() + "." + counter;
}

function newXhr() {
  return window.XMLHttpRequest ? new window.XMLHttpRequest() : null;
}

/** Whether XMLHttpRequest can reach the server: at the page's own origin, or by CORS. */
function xhrReaches(base) {
  var xhr = newXhr();
  return xhr !== null && (isSameOrigin(base) || "withCredentials" in xhr);
}

function isSameOrigin(base) {
  var here = window.location.protocol + "//" + window.location.host;
  return base === here || base.indexOf(here + "/") === 0;
}

/**
 * Posts `body`. Calls `onprogress(text)` with all that has come so far, where the browser shows it,
 * and `ondone(status, text, type)` at the end, with status 0 when there was none. Returns the way
 * to stop it.
 */
function post(url, body, onprogress, ondone) {
  var xhr = newXhr();
  var over = false;
  function end(status, text, type) {
    if (!over) {
      over = true;
      ondone(status, text, type);
    }
  }
  xhr.onreadystatechange = function () {
    if (over) {
      return;
    }
    if (xhr.readyState === 3 && onprogress) {
      onprogress(textSoFar(xhr), xhr);
    } else if (xhr.readyState === 4) {
      // Old Internet Explorers call 204 1223.
      end(xhr.status === 1223 ? 204 : xhr.status, xhr.responseText || "", typeOf(xhr));
    }
  };
  try {
    xhr.open("POST", fresh(url), true);
    xhr.send(body);
  } catch (error) {
    setTimeout(function () {
      end(0, "", "");
    }, 0);
  }
  return function () {
    over = true;
    xhr.abort();
  };
}

/** Some browsers throw when they are asked before the end. */
function textSoFar(xhr) {
  try {
    return xhr.status === 200 ? xhr.responseText : "";
  } catch (error) {
    return "";
  }
}

function typeOf(xhr) {
  try {
    return xhr.getResponseHeader("content-type") || "";
  } catch (error) {
    return "";
  }
}

/** Gives a function a name that a script of the server's can call. Returns the name. */
function named(call) {
  counter += 1;
  var name = "martlet_" + counter;
  window[name] = call;
  return name;
}

/** What comes later under this name is for nobody; a missing function would be an error. */
function unname(name) {
  window[name] = function () {};
}

/**
 * Asks by a script element. `url` gets the callback's name as its last parameter. Calls
 * `ondone(list)`, with `null` when nothing came within `limit` milliseconds. Returns the way to
 * stop it.
 */
function jsonp(url, limit, ondone) {
  var script = document.createElement("script");
  var over = false;
  var name = named(end);
  var timer = setTimeout(function () {
    end(null);
  }, limit);
  function end(list) {
    if (!over) {
      stop();
      ondone(list);
    }
  }
  function stop() {
    over = true;
    clearTimeout(timer);
    unname(name);
    if (script.parentNode) {
      script.parentNode.removeChild(script);
    }
  }
  script.onerror = function () {
    end(null);
  };
  script.src = fresh(url + "&callback=" + name);
  script.async = true;
  (document.getElementsByTagName("head")[0] || document.documentElement).appendChild(script);
  return stop;
}
