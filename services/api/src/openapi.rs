//! The API's own description (`OpenAPI` 3.1), made from the code: a route is registered together with what is said of it, and the
//! schemas are those of the types that are sent and read. What is not described cannot be served.

mod doc;
mod document;
pub(crate) mod examples;
mod page;
pub(crate) mod params;
mod refusals;
pub(crate) mod schemas;

use actix_web::http::Method;
use actix_web::{FromRequest, Handler, HttpResponse, Responder, Route, web};
use tocsin_service::http::read;

pub(crate) use self::doc::Doc;
pub(crate) use self::document::Document;
use crate::dashboard;

/// All routes, each with its description. Made once for each thread, and once for the document.
#[derive(Default)]
pub(crate) struct Table(Vec<Entry>);

struct Entry {
    method: Method,
    path: &'static str,
    /// None if it is served elsewhere.
    route: Option<Route>,
    doc: Doc,
}

/// Registers a route: what it is called here, its method, and of which requests it is.
macro_rules! methods {
    ($($(#[$about:meta])* $name:ident $method:ident $route:expr,)+) => {
        $($(#[$about])*
        pub(crate) fn $name<F, Args>(&mut self, path: &'static str, handler: F, doc: Doc) -> &mut Self
        where
            F: Handler<Args>,
            Args: FromRequest + 'static,
            F::Output: Responder + 'static,
        {
            let route = Some($route.to(handler));
            self.0.push(Entry { method: Method::$method, path, route, doc });
            self
        })+
    };
}

impl Table {
    methods! {
        /// `HEAD` is answered as well.
        get GET read(),
        /// A `GET` whose answer has no end: `HEAD` would wait for it.
        endless GET web::get(),
        post POST web::post(),
        patch PATCH web::patch(),
        delete DELETE web::delete(),
    }

    /// Describes a route that every service has, and that is served with the server itself.
    pub(crate) fn of_every_service(&mut self, path: &'static str, doc: Doc) -> &mut Self {
        self.0.push(Entry { method: Method::GET, path, route: None, doc });
        self
    }

    /// Adds the routes, in their order: of two patterns that match, the first counts.
    pub(crate) fn add_to(self, app: &mut web::ServiceConfig) {
        let mut resources: Vec<(&str, actix_web::Resource)> = Vec::new();
        for Entry { path, route, .. } in self.0 {
            let Some(route) = route else { continue };
            let at = resources.iter().position(|(known, _)| *known == path);
            let (_, resource) = at.map_or_else(|| (path, web::resource(path)), |at| resources.remove(at));
            let resource = (path, resource.route(route));
            resources.insert(at.unwrap_or(resources.len()), resource);
        }
        for (_, resource) in resources {
            app.service(resource);
        }
    }
}

/// Adds the routes of the description itself.
pub(crate) fn add(table: &mut Table) {
    let doc = |id, summary| Doc::open(id, "docs", summary);
    table
        .get("/openapi.json", json, doc("openapi", "This description").gives_any("The document."))
        .get(
            "/docs",
            html,
            doc("docs", "This description, for people").gives_text(HTML, "The page.", "<!doctype html>"),
        )
        .get("/docs/style.css", style, doc("docsStyle", "How that page looks").gives_text(CSS, "The style.", "a {}"));
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

async fn json(document: web::Data<Document>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document.json())
}

async fn html(document: web::Data<Document>) -> HttpResponse {
    dashboard::guarded(&mut HttpResponse::Ok()).content_type(HTML).body(document.page())
}

async fn style() -> HttpResponse {
    dashboard::guarded(&mut HttpResponse::Ok()).content_type(CSS).body(page::STYLE)
}

#[cfg(test)]
mod tests;
