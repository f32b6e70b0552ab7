//! A runtime that answers as a test wants it to, over a real socket.

use std::{
    convert::Infallible,
    fs, io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{
    body::{Body, Bytes, Frame, Incoming},
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};

/// An answer to one request.
pub(super) enum Answer {
    /// A message of gRPC.
    Grpc(Vec<u8>),
    /// A status of gRPC.
    Status(u16),
    /// A document.
    Json(String),
    /// Nothing of that name.
    NotFound,
    /// Bytes of no form at all.
    Noise,
    /// Half an answer, and the end.
    Half,
    /// Endless bytes.
    Endless,
    /// None, ever.
    Hang,
}

impl Answer {
    /// A message.
    pub(super) fn message(message: &impl Message) -> Self {
        Self::Grpc(message.encode_to_vec())
    }
}

type Answers = dyn Fn(&str, &[u8]) -> Answer + Send + Sync;

/// What speaks at a socket.
#[derive(Clone, Copy)]
pub(super) enum Protocol {
    /// gRPC.
    Grpc,
    /// HTTP/1.1.
    Http,
}

/// A folder that stands for a node's root, with sockets in it.
pub(super) struct Node(TempDir);

impl Node {
    /// Without any runtime.
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Its root.
    pub(super) fn root(&self) -> &Path {
        self.0.path()
    }

    /// Where `path` of the node is.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        let path = self.root().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// With a file that says that Docker runs.
    #[must_use]
    pub(super) fn with_docker_pid(self) -> Self {
        fs::write(self.path("/run/docker.pid"), "812").unwrap();
        self
    }

    /// A socket at `path`, from where a long root can be, too.
    pub(super) fn listen(&self, path: &str) -> UnixListener {
        let path = self.path(path);
        // An address takes 107 bytes.
        let short = tempfile::tempdir().unwrap();
        let link = short.path().join("d");
        std::os::unix::fs::symlink(path.parent().unwrap(), &link).unwrap();
        UnixListener::bind(link.join(path.file_name().unwrap())).unwrap()
    }

    /// A runtime at `path`, which answers each path of a request, with its body, by `answers`.
    pub(super) fn serve(
        &self,
        path: &str,
        protocol: Protocol,
        answers: impl Fn(&str, &[u8]) -> Answer + Send + Sync + 'static,
    ) {
        let listener = self.listen(path);
        let answers: Arc<Answers> = Arc::new(answers);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(speak(socket, protocol, Arc::clone(&answers)));
            }
        });
    }
}

async fn speak(socket: UnixStream, protocol: Protocol, answers: Arc<Answers>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let answers = Arc::clone(&answers);
        async move {
            let path = request.uri().path().to_owned();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            // A message of gRPC has 5 bytes before it.
            let answer = answers(&path, body.get(5..).unwrap_or_default());
            Ok::<_, Infallible>(response(answer).await)
        }
    });
    let io = TokioIo::new(socket);
    // Clients that break off are what some tests are about.
    match protocol {
        Protocol::Grpc => {
            drop(http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await);
        }
        Protocol::Http => drop(http1::Builder::new().serve_connection(io, service).await),
    }
}

type Bodies = UnsyncBoxBody<Bytes, io::Error>;

async fn response(answer: Answer) -> Response<Bodies> {
    let grpc = |status: u16| {
        let headers = [("content-type", "application/grpc"), ("grpc-status", &status.to_string())]
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()));
        HeaderMap::from_iter(headers)
    };
    let mut response = Response::new(bytes(Vec::new()));
    match answer {
        Answer::Grpc(message) => {
            let len = u32::try_from(message.len()).unwrap();
            let framed = [&[0][..], &len.to_be_bytes(), &message].concat();
            let mut trailers = grpc(0);
            let kind = trailers.remove("content-type").unwrap();
            response.headers_mut().insert("content-type", kind);
            *response.body_mut() =
                bytes(framed).with_trailers(async { Some(Ok(trailers)) }).boxed_unsync();
        }
        Answer::Status(status) => *response.headers_mut() = grpc(status),
        Answer::Json(json) => *response.body_mut() = bytes(json.into_bytes()),
        Answer::NotFound => *response.status_mut() = StatusCode::NOT_FOUND,
        Answer::Noise => *response.body_mut() = bytes(b"\xff\x00 no form".repeat(99)),
        Answer::Half => *response.body_mut() = Odd { parts: 1, then_fails: true }.boxed_unsync(),
        Answer::Endless => {
            *response.body_mut() = Odd { parts: usize::MAX, then_fails: false }.boxed_unsync();
        }
        Answer::Hang => std::future::pending().await,
    }
    if response.headers().get("content-type").is_none() {
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    }
    response
}

fn bytes(bytes: Vec<u8>) -> Bodies {
    Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync()
}

/// A body that begins like a long message.
struct Odd {
    parts: usize,
    then_fails: bool,
}

impl Body for Odd {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.parts > 0 {
            self.parts -= 1;
            // To gRPC: 32 MiB follow. To a reader of JSON: white space.
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b' '; 1 << 16])))));
        }
        Poll::Ready(self.then_fails.then(|| Err(io::Error::other("broken off"))))
    }
}
