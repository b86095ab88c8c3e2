//! The documentation as a page: a view of the OpenAPI document, whatever endpoints it has.

use askama::Template;
use serde_json::Value;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

#[derive(Template)]
#[template(path = "docs.html")]
struct Page {
    title: String,
    version: String,
    description: Prose,
    server: String,
    discovery: String,
    operations: Vec<Operation>,
    schemas: Vec<Schema>,
}

struct Operation {
    /// Of its heading on the page.
    id: String,
    method: String,
    path: String,
    summary: String,
    description: Prose,
    /// Empty: no token is needed.
    scope: String,
    parameters: Vec<Member>,
    body: Option<String>,
    curl: String,
    answers: Vec<Answer>,
}

/// A parameter of an operation, or a member of an object.
struct Member {
    name: String,
    /// `path`, `query` or `header`; empty for members of objects.
    place: String,
    kind: String,
    required: bool,
    description: Prose,
}

struct Answer {
    status: String,
    description: Prose,
    schema: Option<String>,
    is_list: bool,
    headers: Vec<String>,
}

struct Schema {
    name: String,
    description: Prose,
    members: Vec<Member>,
}

/// Text with `code` in it.
struct Prose(Vec<Span>);

struct Span {
    is_code: bool,
    text: String,
}

impl Prose {
    fn of(text: &str) -> Self {
        let spans = text.split('`').enumerate();
        Self(spans.map(|(index, text)| Span { is_code: index % 2 == 1, text: text.to_owned() }).collect())
    }
}

/// Writes the page of an OpenAPI document.
pub(super) fn render(document: &Value) -> askama::Result<String> {
    let server = text(document, "/servers/0/url");
    let paths = document.pointer("/paths").and_then(Value::as_object).into_iter().flatten();
    let mut operations = Vec::new();
    for (path, item) in paths {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                operations.push(Operation::of(document, &server, path, method, operation));
            }
        }
    }
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object).into_iter().flatten();
    let page = Page {
        title: text(document, "/info/title"),
        version: text(document, "/info/version"),
        description: prose(document, "/info/description"),
        discovery: text(document, "/components/securitySchemes/openid/openIdConnectUrl"),
        server,
        operations,
        schemas: schemas.map(|(name, schema)| Schema::of(name, schema)).collect(),
    };
    page.render()
}

impl Operation {
    fn of(document: &Value, server: &str, path: &str, method: &str, operation: &Value) -> Self {
        let body = operation.pointer("/requestBody/content/application~1json/schema");
        let scope = text(operation, "/security/0/openid/0");
        let parameters = list(operation, "/parameters");
        Self {
            id: format!("{method}-{}", path.replace(['/', '{', '}', '.'], "-")),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: text(operation, "/summary"),
            description: prose(operation, "/description"),
            curl: curl(document, server, path, method, !scope.is_empty(), body),
            scope,
            parameters: parameters.iter().map(Member::of_parameter).collect(),
            body: body.and_then(reference),
            answers: operation
                .pointer("/responses")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .map(|(status, response)| Answer::of(status, response))
                .collect(),
        }
    }
}

impl Member {
    fn of_parameter(parameter: &Value) -> Self {
        let schema = parameter.get("schema").unwrap_or(&Value::Null);
        Self {
            name: text(parameter, "/name"),
            place: text(parameter, "/in"),
            kind: kind(schema),
            required: parameter.get("required") == Some(&Value::Bool(true)),
            description: prose(parameter, "/description"),
        }
    }
}

impl Answer {
    fn of(status: &str, response: &Value) -> Self {
        let content = response.get("content").and_then(Value::as_object);
        let schema =
            content.and_then(|content| content.values().next()).and_then(|media| media.get("schema"));
        let headers = response.get("headers").and_then(Value::as_object).into_iter().flatten();
        Self {
            status: status.to_owned(),
            description: prose(response, "/description"),
            schema: schema.and_then(|schema| reference(schema.get("items").unwrap_or(schema))),
            is_list: schema.is_some_and(|schema| schema.get("items").is_some()),
            headers: headers.map(|(name, _)| name.clone()).collect(),
        }
    }
}

impl Schema {
    fn of(name: &str, schema: &Value) -> Self {
        let required = list(schema, "/required");
        let members = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        Self {
            name: name.to_owned(),
            description: prose(schema, "/description"),
            members: members
                .map(|(name, member)| Member {
                    name: name.clone(),
                    place: String::new(),
                    kind: kind(member),
                    required: required.iter().any(|required| required == name),
                    description: prose(member, "/description"),
                })
                .collect(),
        }
    }
}

/// A command that makes the request, with the body's examples.
fn curl(
    document: &Value,
    server: &str,
    path: &str,
    method: &str,
    token: bool,
    body: Option<&Value>,
) -> String {
    let path = path.replace("{user_id}", "me").replace("{id}", "$TASK");
    let mut command = "curl".to_owned();
    if method != "get" {
        command.push_str(&format!(" -X {}", method.to_uppercase()));
    }
    if token {
        command.push_str(" -H \"Authorization: Bearer $TOKEN\"");
    }
    if let Some(name) = body.and_then(reference) {
        let members = document.pointer(&format!("/components/schemas/{name}/properties"));
        let examples: serde_json::Map<String, Value> = members
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(name, member)| Some((name.clone(), member.get("example")?.clone())))
            .collect();
        command.push_str(" \\\n  --json '");
        command.push_str(&Value::Object(examples).to_string());
        command.push('\'');
    }
    format!("{command} \\\n  \"{server}{path}\"")
}

/// `string, 1 to 255 characters`
fn kind(schema: &Value) -> String {
    if let Some(name) = reference(schema) {
        return name;
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        return values.join(", ");
    }
    if let Some(either) = schema.get("oneOf").and_then(Value::as_array) {
        return either.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    let mut kind = match schema.get("type") {
        Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        Some(Value::String(kind)) if kind == "array" => {
            format!("list of {}", schema.get("items").map(self::kind).unwrap_or_default())
        }
        Some(Value::String(kind)) => kind.clone(),
        _ => String::new(),
    };
    match schema.get("format").and_then(Value::as_str) {
        Some("date-time") => kind = "RFC 3339 time".to_owned(),
        Some("uuid") => kind = "UUID".to_owned(),
        _ => {}
    }
    let number = |name| schema.get(name).and_then(Value::as_u64);
    match (number("minLength").or(number("minimum")), number("maxLength").or(number("maximum"))) {
        (Some(least), Some(most)) => kind.push_str(&format!(", {least} to {most}")),
        (None, Some(most)) => kind.push_str(&format!(", at most {most}")),
        _ => {}
    }
    if number("maxLength").is_some() {
        kind.push_str(" characters");
    }
    kind
}

/// `Task` of `#/components/schemas/Task`.
fn reference(schema: &Value) -> Option<String> {
    schema.get("$ref")?.as_str()?.rsplit('/').next().map(str::to_owned)
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn prose(value: &Value, pointer: &str) -> Prose {
    Prose::of(&text(value, pointer))
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
