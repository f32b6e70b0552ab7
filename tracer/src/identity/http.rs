//! HTTP over a Unix socket: connections that end with their owner, and calls that end in time.

use std::{future::Future, pin::Pin, task};

use http::{Request, Response};
use http_body_util::Empty;
use hyper::{
    body::{Bytes, Incoming},
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::UnixStream, task::JoinHandle, time::Instant};
use tonic::client::GrpcService;

use super::error::Error;

/// Waits for `work` until `by`.
///
/// # Errors
/// `work`'s own, or that `call` was slow.
pub(super) async fn within<T>(
    by: Instant,
    call: &'static str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout_at(by, work).await.unwrap_or(Err(Error::Slow { call }))
}

/// What moves a connection's bytes. Ends with the connection, and at once when dropped.
struct Driver(JoinHandle<()>);

impl Driver {
    fn spawn<E: Send + 'static>(
        connection: impl Future<Output = Result<(), E>> + Send + 'static,
    ) -> Self {
        // Its error is what the calls on the connection end with.
        Self(tokio::spawn(async { drop(connection.await) }))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection that takes one request after the other.
pub(super) struct Http1 {
    requests: http1::SendRequest<Empty<Bytes>>,
    _driver: Driver,
}

impl Http1 {
    /// Speaks HTTP on a socket.
    pub(super) async fn over(socket: UnixStream) -> hyper::Result<Self> {
        let (requests, connection) = http1::handshake(TokioIo::new(socket)).await?;
        Ok(Self { requests, _driver: Driver::spawn(connection) })
    }

    /// Asks for a path.
    pub(super) async fn get(&mut self, path: &str) -> hyper::Result<Response<Incoming>> {
        self.requests.ready().await?;
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = path.parse().unwrap_or_default();
        request.headers_mut().insert("host", http::HeaderValue::from_static("localhost"));
        self.requests.send_request(request).await
    }
}

/// A connection for gRPC.
pub(super) struct Http2 {
    requests: http2::SendRequest<tonic::body::Body>,
    _driver: Driver,
}

impl Http2 {
    /// Speaks HTTP/2 on a socket.
    pub(super) async fn over(socket: UnixStream) -> hyper::Result<Self> {
        let io = TokioIo::new(socket);
        let (requests, connection) = http2::handshake(TokioExecutor::new(), io).await?;
        Ok(Self { requests, _driver: Driver::spawn(connection) })
    }

    /// What makes calls on it.
    pub(super) fn calls(&self) -> Calls {
        Calls(self.requests.clone())
    }
}

/// What makes calls on a connection.
pub(super) struct Calls(http2::SendRequest<tonic::body::Body>);

impl GrpcService<tonic::body::Body> for Calls {
    type ResponseBody = Incoming;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> task::Poll<hyper::Result<()>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
