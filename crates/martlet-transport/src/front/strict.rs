//! The checks that hyper leaves to its users, made on each request it has read. (A body with two
//! lengths is not among them: hyper reads it as chunks and ends the connection after it.)

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::Service;
use martlet_core::model::Refusal;

use super::Doors;
use crate::http1::parse::{check_host, check_method};

/// The service of the doors, for requests that keep the rules.
pub(super) struct Strict<D: Doors> {
    pub doors: Rc<D>,
    pub service: D::Service,
}

type Answer<D> = Response<Either<<D as Doors>::Body, Full<Bytes>>>;
type Failure = Box<dyn Error + Send + Sync>;

impl<D: Doors> Service<Request<Incoming>> for Strict<D> {
    type Response = Answer<D>;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Answer<D>, Failure>>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        if let Err(refusal) = check(&request) {
            let answer = refused::<D>(&self.doors, &refusal);
            return Box::pin(std::future::ready(Ok(answer)));
        }
        let answering = self.service.call(request);
        Box::pin(async move { Ok(answering.await.map_err(Into::into)?.map(Either::Left)) })
    }
}

/// Whether this is a `CONNECT` of HTTP/2 that opens a WebSocket (RFC 8441).
pub fn is_websocket<B>(request: &Request<B>) -> bool {
    let protocol = request.extensions().get::<hyper::ext::Protocol>();
    request.method() == Method::CONNECT && protocol.is_some_and(|p| p.as_str() == "websocket")
}

fn check(request: &Request<Incoming>) -> Result<(), Refusal> {
    if !is_websocket(request) {
        check_method(request.method())?;
    }
    if request.version() < Version::HTTP_2 {
        check_host(request.headers(), request.version())?;
    }
    Ok(())
}

fn refused<D: Doors>(doors: &D, refusal: &Refusal) -> Answer<D> {
    let json = Bytes::from(doors.refusal(refusal));
    let mut answer = Response::new(Either::Right(Full::new(json)));
    *answer.status_mut() =
        StatusCode::from_u16(refusal.code.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
    let json_type = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, json_type);
    answer
}
