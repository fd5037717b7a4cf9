//! The listener: bounded places, a deadline for every part of an exchange, and an orderly end.

use crate::admit::admit;
use crate::auth::origin::same_origin;
use crate::control::plain_address;
use crate::error::{ApiError, in_words};
use crate::headers::secure;
use crate::hosts::own_names;
use crate::limits::BODY_MAX;
use crate::pages::Pages;
use crate::places::Lot;
use crate::state::{ApiState, App, Inner};
use crate::write_deadline::WriteDeadline;
use crate::{api, monitor, told};
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
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

/// Longest head of a request, in bytes; also what is held of an answer that a client is slow to take.
const HEAD_MAX: usize = 32 * 1024;
/// What is under way when the program stops may take this long.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after the system refused a connection (no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

fn routes(app: App, pages: Pages) -> Router {
    let (api, _) = api::router(app.clone()).split_for_parts();
    let routes = (pages.routes)()
        .merge(api)
        .merge(monitor::router())
        .fallback(|| async { ApiError::NoRoute })
        .layer(middleware::from_fn_with_state(app.clone(), same_origin))
        .layer(middleware::from_fn_with_state(app.clone(), told::faults));
    bounded(routes, app, pages)
}

/// What holds for every request, whatever it asks.
fn bounded(routes: Router<App>, app: App, pages: Pages) -> Router {
    let patience = app.state.config.limits.request_patience;
    let routes = routes
        .layer(middleware::from_fn_with_state(app.clone(), admit))
        .layer(middleware::from_fn(plain_address))
        .layer(middleware::from_fn_with_state(app.clone(), own_names))
        .layer(RequestBodyLimitLayer::new(BODY_MAX))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, patience))
        .layer(middleware::map_response(in_words));
    (pages.around)(routes)
        .layer(middleware::from_fn(secure))
        .with_state(app)
}

/// Serves until `stop`; then lets what is under way finish for a few seconds and closes event streams at once.
///
/// # Errors
///
/// The listener does not say where it listens.
pub async fn serve(listener: TcpListener, state: ApiState, pages: Pages, stop: CancellationToken) -> io::Result<()> {
    let address = listener.local_addr()?;
    tracing::info!(%address, "console and API are served");
    let app = Inner::new(state, stop);
    serve_routes(listener, &app, &routes(app.clone(), pages)).await;
    Ok(())
}

/// Serves what monitoring reads and none of the pages, until `stop`: for a hub that stands by.
///
/// # Errors
///
/// None as yet; it is the same type as that of [`serve`].
pub async fn serve_monitoring(
    listener: TcpListener,
    state: ApiState,
    pages: Pages,
    stop: CancellationToken,
) -> io::Result<()> {
    let app = Inner::new(state, stop);
    let routes = Router::new().merge(monitor::router()).fallback(|| async {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "this hub stands by; ask the other one\n",
        )
    });
    serve_routes(listener, &app, &bounded(routes, app.clone(), pages)).await;
    Ok(())
}

async fn serve_routes(listener: TcpListener, app: &App, routes: &Router) {
    let _telling = AbortOnDropHandle::new(tokio::spawn(told::tell(app.clone())));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = app.stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => connect(stream, peer, app, routes, &graceful),
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
}

fn connect(stream: TcpStream, peer: SocketAddr, app: &App, routes: &Router, graceful: &GracefulShutdown) {
    // Where every place is held, the connection is closed at once: its client may come again.
    let home = match app.state.config.proxies.include(peer.ip()) {
        true => Lot::Proxy,
        false => Lot::of(peer.ip()),
    };
    let Some(place) = app.connections.enter(home) else {
        app.connections.count_refusal();
        return;
    };
    // Where it fails, answers are only slower.
    let _ = stream.set_nodelay(true);
    let gone = place.gone();
    let place = Arc::new(place);
    let routes = TowerToHyperService::new(routes.clone());
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(Arc::clone(&place));
        routes.call(request)
    });
    let limits = &app.state.config.limits;
    let stream = WriteDeadline::new(stream, limits.write_patience, app.connections.unread.clone());
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_patience)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let watched = graceful.watch(connection);
    tokio::spawn(async move {
        tokio::select! {
            // A client that hangs up in mid-answer is no event.
            _ = watched => {}
            () = gone.cancelled() => {}
        }
    });
}
