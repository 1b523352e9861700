//! The forever frame: a page in a hidden frame that calls a function of the page around it, one
//! script for each event. For browsers that have nothing better, and pages of the same origin.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::callback::write_script_json;
use super::lines::{write_cursor, write_open_object};
use super::{Begin, Event, Layout};

/// Browsers run the first scripts only when this much of the page is there (Safari: 1 KiB).
const PAGE_BYTES_MIN: usize = 1024;

const SCRIPT: &[u8] = b"<script>m(";
const SCRIPT_END: &[u8] = b");</script>\n";

/// Scripts in a page.
pub struct Html;

impl Layout for Html {
    fn headers(&self, headers: &mut HeaderMap) {
        let page = HeaderValue::from_static("text/html; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, page);
        // Whatever an escape may have missed: the frame loads nothing and sends nothing.
        let policy = HeaderValue::from_static("default-src 'none'; script-src 'unsafe-inline'");
        headers.insert(HeaderName::from_static("content-security-policy"), policy);
    }

    fn begin(&self, begin: &Begin, out: &mut Vec<u8>) {
        let before = out.len();
        out.extend_from_slice(b"<!doctype html>\n<meta charset=\"utf-8\">\n<script>");
        if let Some(callback) = &begin.callback {
            let call = format!("function m(e){{parent.{callback}(e)}}");
            out.extend_from_slice(call.as_bytes());
        }
        out.extend_from_slice(b"</script>\n");
        let missing = PAGE_BYTES_MIN.saturating_sub(out.len() - before);
        out.resize(out.len() + begin.padding.max(missing), b' ');
        out.push(b'\n');
    }

    fn message(&self, json: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(SCRIPT);
        write_script_json(json, out);
        out.extend_from_slice(SCRIPT_END);
    }

    fn event(&self, event: &Event<'_>, open: bool, out: &mut Vec<u8>) {
        let mut object = Vec::new();
        write_open_object(event, &mut object);
        out.extend_from_slice(SCRIPT);
        write_script_json(&object, out);
        match event.cursor {
            Some(cursor) if !open => self.close_event(cursor, out),
            _ if !open => {
                out.push(b'}');
                out.extend_from_slice(SCRIPT_END);
            }
            _ => {}
        }
    }

    fn close_event(&self, cursor: &str, out: &mut Vec<u8>) {
        out.push(b',');
        write_cursor(cursor, out);
        out.push(b'}');
        out.extend_from_slice(SCRIPT_END);
    }

    fn place(&self, cursor: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(SCRIPT);
        out.push(b'{');
        write_cursor(cursor, out);
        out.push(b'}');
        out.extend_from_slice(SCRIPT_END);
    }

    fn heartbeat(&self, out: &mut Vec<u8>) {
        self.message(b"{}", out);
    }
}
