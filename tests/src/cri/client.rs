//! Calls to a container runtime over its socket. Owns the connection and which version of the
//! interface it speaks; not what is asked.

use std::{future::Future, path::PathBuf, pin::Pin, task, time::Duration};

use bytes::{Buf as _, BufMut as _};
use http::{Request, Response, Uri, uri::PathAndQuery};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::UnixStream;
use tonic::{
    Code, Status,
    body::Body,
    client::{Grpc, GrpcService},
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

use super::proto;

/// An emulated guest starts a container in seconds.
const LONGEST: Duration = Duration::from_mins(3);

/// The names of the service, the newer first. containerd 1.4 has the second alone.
const SERVICES: [&str; 2] = ["runtime.v1.RuntimeService", "runtime.v1alpha2.RuntimeService"];

/// Makes calls, each on a connection of its own.
#[derive(Clone, Debug)]
pub(super) struct Client {
    socket: PathBuf,
    service: &'static str,
}

impl Client {
    /// Asks who serves the interface there.
    ///
    /// # Errors
    /// If nobody does.
    pub(super) fn connect(socket: PathBuf) -> Result<(Self, proto::VersionResponse), Status> {
        let mut client = Self { socket, service: SERVICES[0] };
        let version = |client: &Self| {
            client.call("Version", &proto::VersionRequest { version: "0.1.0".to_owned() })
        };
        let answer = match version(&client) {
            Err(status) if status.code() == Code::Unimplemented => {
                client.service = SERVICES[1];
                version(&client)?
            }
            answer => answer?,
        };
        Ok((client, answer))
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// What the runtime answers instead.
    pub(super) fn call<Q: Message, A: Message + Default>(
        &self,
        call: &str,
        question: &Q,
    ) -> Result<A, Status> {
        let answer = self.bytes(call, question.encode_to_vec())?;
        A::decode(&*answer).map_err(|error| Status::internal(format!("{call}: {error}")))
    }

    /// The same with messages as they are on the wire.
    ///
    /// # Errors
    /// What the runtime answers instead.
    pub(super) fn bytes(&self, call: &str, question: Vec<u8>) -> Result<Vec<u8>, Status> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let path = PathAndQuery::try_from(format!("/{}/{call}", self.service))
            .map_err(|error| Status::internal(error.to_string()))?;
        let work = async {
            let failed = |error: hyper::Error| Status::unavailable(error.to_string());
            let socket = TokioIo::new(UnixStream::connect(&self.socket).await?);
            let (calls, connection) =
                http2::handshake(TokioExecutor::new(), socket).await.map_err(failed)?;
            tokio::spawn(connection);
            let origin = Uri::from_static("http://localhost");
            let mut grpc = Grpc::with_origin(Calls(calls), origin);
            grpc.ready().await.map_err(failed)?;
            grpc.unary(tonic::Request::new(question), path, Bytes).await
        };
        let timed = async { tokio::time::timeout(LONGEST, work).await };
        let slow = |_| Status::deadline_exceeded(format!("{call} takes too long"));
        Ok(runtime.block_on(timed).map_err(slow)??.into_inner())
    }
}

/// Leaves messages as they are.
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining()).to_vec()))
    }
}

/// What makes calls on a connection.
struct Calls(http2::SendRequest<Body>);

impl GrpcService<Body> for Calls {
    type ResponseBody = Incoming;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> task::Poll<hyper::Result<()>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
