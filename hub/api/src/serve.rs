//! The listener: a bounded number of connections, each with a deadline for its request, and an orderly end.

use crate::auth::origin::same_origin;
use crate::headers::secure;
use crate::idempotency::BODY_MAX;
use crate::state::{ApiState, App, Inner};
use crate::{api, monitor, pages, told};
use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use axum::{Router, middleware};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

/// Connections that are open at the same time; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 1024;
/// A request's head must be here within this.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// An answer must have begun within this.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// What is under way when the program stops may take this long.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after the system refused a connection (no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// All routes. The peer's address is read from an `Extension<ConnectInfo<SocketAddr>>`, which [`serve`] adds.
pub fn router(state: ApiState) -> Router {
    routes(Inner::new(state, CancellationToken::new()))
}

fn routes(app: App) -> Router {
    let (api, _) = api::router(app.clone()).split_for_parts();
    Router::new()
        .merge(pages::router())
        .merge(api)
        .merge(monitor::router())
        .fallback(pages::not_found)
        .layer(middleware::from_fn_with_state(app.clone(), same_origin))
        .layer(middleware::from_fn_with_state(app.clone(), told::faults))
        .layer(RequestBodyLimitLayer::new(BODY_MAX))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            REQUEST_TIMEOUT,
        ))
        .layer(middleware::from_fn(secure))
        .with_state(app)
}

/// Serves until `stop`; then lets what is under way finish for a few seconds and closes event streams at once.
pub async fn serve(listener: TcpListener, state: ApiState, stop: CancellationToken) -> io::Result<()> {
    let address = listener.local_addr()?;
    tracing::info!(%address, "console and API are served");
    let app = Inner::new(state, stop);
    serve_routes(listener, routes(app.clone()), app).await
}

/// Serves what monitoring reads and nothing else, until `stop`: for a hub that stands by.
pub async fn serve_monitoring(listener: TcpListener, state: ApiState, stop: CancellationToken) -> io::Result<()> {
    let app = Inner::new(state, stop);
    let routes = Router::new()
        .merge(monitor::router())
        .fallback(|| async {
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "this hub stands by; ask the other one\n",
            )
        })
        .layer(RequestBodyLimitLayer::new(BODY_MAX))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            REQUEST_TIMEOUT,
        ))
        .layer(middleware::from_fn(secure))
        .with_state(app.clone());
    serve_routes(listener, routes, app).await
}

async fn serve_routes(listener: TcpListener, routes: Router, app: App) -> io::Result<()> {
    let _telling = AbortOnDropHandle::new(tokio::spawn(told::tell(app.clone())));
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = app.stop.cancelled() => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        match accepted {
            Ok((stream, peer, permit)) => connect(stream, peer, permit, &routes, &graceful),
            Err(error) => {
                app.state.monitor.accepting.failed(&error, Instant::now().into_std());
                if app.tells("accept") {
                    tracing::warn!(%error, "connection not accepted");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    if tokio::time::timeout(STOP_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests under way were cut off at the stop");
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = connections.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    // Where it fails, answers are only slower; a client that has gone again is no fault of the listener.
    let _ = stream.set_nodelay(true);
    Ok((stream, peer, permit))
}

fn connect(
    stream: TcpStream,
    peer: SocketAddr,
    permit: OwnedSemaphorePermit,
    routes: &Router,
    graceful: &GracefulShutdown,
) {
    let routes = TowerToHyperService::new(routes.clone());
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        routes.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let watched = graceful.watch(connection);
    tokio::spawn(async move {
        // A client that hangs up in mid-answer is no event.
        let _ = watched.await;
        drop(permit);
    });
}
