//! Only listed pages are let in, and credentials only for pages that are named.

use super::*;

fn request(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

fn allowed(cors: &Cors, request: &HeaderMap) -> (Option<String>, bool) {
    let mut answer = HeaderMap::new();
    cors.allow(request, &mut answer);
    assert_eq!(answer[header::VARY], "origin");
    let origin = answer.get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    let credentials = answer.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
    (origin.map(|value| value.to_str().expect("text").into()), credentials)
}

const EVIL: &[(&str, &str)] = &[("origin", "https://evil.org"), ("host", "a.example")];
const GOOD: &[(&str, &str)] = &[("origin", "https://a.example"), ("host", "api.example")];

#[test]
fn a_named_page_is_let_in_with_credentials() {
    let cors = Cors { origins: Origins::new(["https://a.example"]), credentials: true };
    assert_eq!(allowed(&cors, &request(GOOD)), (Some("https://a.example".into()), true));
    assert_eq!(allowed(&cors, &request(EVIL)), (None, false));
    assert_eq!(allowed(&cors, &request(&[])), (None, false));
}

#[test]
fn a_star_never_reflects_and_never_brings_credentials() {
    let cors = Cors { origins: Origins::new(["*"]), credentials: true };
    assert_eq!(allowed(&cors, &request(EVIL)), (Some("*".into()), false));
}

#[test]
fn pages_of_this_host_are_let_in_if_wanted() {
    let same = request(&[("origin", "http://localhost:8000"), ("host", "localhost:8000")]);
    let other = request(&[("origin", "http://localhost:8001"), ("host", "localhost:8000")]);
    let empty = request(&[("origin", "http://"), ("host", "")]);
    let strict = Origins::default();
    let open = Origins::default().and_same_host();
    assert!(strict.check(&same).is_err() && open.check(&same).is_ok());
    assert!(open.check(&other).is_err() && open.check(&empty).is_err());
}

#[test]
fn programs_without_an_origin_are_let_in() {
    assert!(Origins::default().check(&request(&[("host", "a")])).is_ok());
}

#[test]
fn a_preflight_is_answered_for_pages_that_may() {
    let cors = Cors { origins: Origins::new(["https://a.example"]), credentials: false };
    let mut asking = request(GOOD);
    asking.insert(header::ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
    assert!(Cors::is_preflight(&Method::OPTIONS, &asking));
    assert!(!Cors::is_preflight(&Method::POST, &asking));
    let answer = cors.preflight(&asking);
    assert_eq!(answer[header::ACCESS_CONTROL_ALLOW_METHODS], "GET, POST");
    let denied = cors.preflight(&request(EVIL));
    assert!(!denied.contains_key(header::ACCESS_CONTROL_ALLOW_METHODS));
}

#[test]
fn pages_of_this_machine_are_known_by_its_own_names_only() {
    let origins = Origins::default().and_this_machine();
    let allowed = |origin: &str| origins.names(origin, Some("rebound.example:8000"));
    for good in
        ["http://localhost:5173", "https://localhost", "http://127.0.0.1:8000", "http://[::1]:1"]
    {
        assert!(allowed(good), "{good}");
    }
    for bad in [
        "http://rebound.example:8000",
        "http://localhost.example.org",
        "http://localhost:80.example.org",
        "http://127.0.0.1.example.org",
        "null",
        "file://localhost",
    ] {
        assert!(!allowed(bad), "{bad}");
    }
}

#[test]
fn a_foreign_name_that_points_here_reads_nothing_either() {
    let origins = Origins::default().and_this_machine();
    let check = |host| origins.check(&request(&[("host", host)]));
    assert!(check("localhost:8000").is_ok() && check("[::1]:8000").is_ok());
    assert!(check("rebound.example:8000").is_err());
    assert!(Origins::default().check(&request(&[("host", "a.example")])).is_ok());
}

fn embedding(origins: &Origins, fields: &[(&'static str, &str)]) -> bool {
    let fields = fields.iter().map(|(name, value)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
    });
    origins.check_embedding(&fields.collect()).is_ok()
}

#[test]
fn a_strange_page_may_not_embed_what_it_could_read() {
    let origins = Origins::new(["https://good.example"]).and_same_host();
    let host = ("host", "here.example:8000");
    let browser = ("user-agent", "Mozilla/5.0");
    assert!(embedding(&origins, &[host]), "curl");
    assert!(embedding(&origins, &[host, ("sec-fetch-site", "same-origin")]));
    assert!(embedding(&origins, &[host, ("sec-fetch-site", "none")]), "typed by a person");
    assert!(!embedding(&origins, &[host, ("sec-fetch-site", "cross-site")]));
    let good = ("referer", "https://good.example/page?x=https://bad.example");
    assert!(embedding(&origins, &[host, ("sec-fetch-site", "cross-site"), good]));
    assert!(embedding(&origins, &[host, browser, ("referer", "http://here.example:8000/a")]));
    for bad in
        ["https://bad.example/", "https://good.example.bad/", "https://bad/https://good.example/"]
    {
        assert!(!embedding(&origins, &[host, ("referer", bad)]), "{bad}");
        assert!(!embedding(&origins, &[host, browser, ("referer", bad)]), "{bad}");
    }
    assert!(!embedding(&origins, &[host, browser]), "a browser that says nothing");
    assert!(embedding(&Origins::new(["*"]), &[host, browser]));
}
