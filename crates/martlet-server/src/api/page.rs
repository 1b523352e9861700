//! The page at `/`, as it was built by `web/` and is kept in the repository: building the server
//! needs no Node.

use axum::body::Body;
use http::{HeaderValue, Response, header};

use super::text;

const INDEX: &str = include_str!("../../../../web/dist/index.html");
const SCRIPT: &str = include_str!("../../../../web/dist/app.js");
const STYLE: &str = include_str!("../../../../web/dist/style.css");

/// The page talks to its own server only, and runs nothing but its own script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// `GET /`
pub async fn index() -> Response<Body> {
    let mut response = asset("text/html; charset=utf-8", INDEX);
    let policy = HeaderValue::from_static(POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// `GET /app.js`
pub async fn script() -> Response<Body> {
    asset("text/javascript; charset=utf-8", SCRIPT)
}

/// `GET /style.css`
pub async fn style() -> Response<Body> {
    asset("text/css; charset=utf-8", STYLE)
}

fn asset(content_type: &'static str, body: &'static str) -> Response<Body> {
    let mut response = text(content_type, body);
    let caching = HeaderValue::from_static("no-cache");
    response.headers_mut().insert(header::CACHE_CONTROL, caching);
    response
}
