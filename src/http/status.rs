//! Status codes with Apache's reason phrases.

use std::fmt;

/// A response status code. Any number may stand here; `line` says what Apache sends for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(pub u16);

macro_rules! statuses {
    ($($code:literal $name:ident $reason:literal)*) => {
        impl Status {
            $(#[doc = concat!("`", stringify!($code), " ", $reason, "`")]
            pub const $name: Status = Status($code);)*

            /// `404 Not Found`, or `None` for a code Apache has no phrase for.
            pub fn known_line(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some(concat!(stringify!($code), " ", $reason)),)*
                    _ => None,
                }
            }
        }
        #[cfg(test)]
        const ALL: &[Status] = &[$(Status::$name),*];
    };
}

statuses! {
    100 CONTINUE "Continue"
    101 SWITCHING_PROTOCOLS "Switching Protocols"
    102 PROCESSING "Processing"
    103 EARLY_HINTS "Early Hints"
    200 OK "OK"
    201 CREATED "Created"
    202 ACCEPTED "Accepted"
    203 NON_AUTHORITATIVE "Non-Authoritative Information"
    204 NO_CONTENT "No Content"
    205 RESET_CONTENT "Reset Content"
    206 PARTIAL_CONTENT "Partial Content"
    207 MULTI_STATUS "Multi-Status"
    208 ALREADY_REPORTED "Already Reported"
    226 IM_USED "IM Used"
    300 MULTIPLE_CHOICES "Multiple Choices"
    301 MOVED_PERMANENTLY "Moved Permanently"
    302 FOUND "Found"
    303 SEE_OTHER "See Other"
    304 NOT_MODIFIED "Not Modified"
    305 USE_PROXY "Use Proxy"
    307 TEMPORARY_REDIRECT "Temporary Redirect"
    308 PERMANENT_REDIRECT "Permanent Redirect"
    400 BAD_REQUEST "Bad Request"
    401 UNAUTHORIZED "Unauthorized"
    402 PAYMENT_REQUIRED "Payment Required"
    403 FORBIDDEN "Forbidden"
    404 NOT_FOUND "Not Found"
    405 METHOD_NOT_ALLOWED "Method Not Allowed"
    406 NOT_ACCEPTABLE "Not Acceptable"
    407 PROXY_AUTHENTICATION_REQUIRED "Proxy Authentication Required"
    408 REQUEST_TIME_OUT "Request Timeout"
    409 CONFLICT "Conflict"
    410 GONE "Gone"
    411 LENGTH_REQUIRED "Length Required"
    412 PRECONDITION_FAILED "Precondition Failed"
    413 REQUEST_ENTITY_TOO_LARGE "Request Entity Too Large"
    414 REQUEST_URI_TOO_LARGE "Request-URI Too Long"
    415 UNSUPPORTED_MEDIA_TYPE "Unsupported Media Type"
    416 RANGE_NOT_SATISFIABLE "Requested Range Not Satisfiable"
    417 EXPECTATION_FAILED "Expectation Failed"
    421 MISDIRECTED_REQUEST "Misdirected Request"
    422 UNPROCESSABLE_ENTITY "Unprocessable Entity"
    423 LOCKED "Locked"
    424 FAILED_DEPENDENCY "Failed Dependency"
    426 UPGRADE_REQUIRED "Upgrade Required"
    428 PRECONDITION_REQUIRED "Precondition Required"
    429 TOO_MANY_REQUESTS "Too Many Requests"
    431 REQUEST_HEADER_FIELDS_TOO_LARGE "Request Header Fields Too Large"
    451 UNAVAILABLE_FOR_LEGAL_REASONS "Unavailable For Legal Reasons"
    500 INTERNAL_SERVER_ERROR "Internal Server Error"
    501 NOT_IMPLEMENTED "Not Implemented"
    502 BAD_GATEWAY "Bad Gateway"
    503 SERVICE_UNAVAILABLE "Service Unavailable"
    504 GATEWAY_TIME_OUT "Gateway Timeout"
    505 VERSION_NOT_SUPPORTED "HTTP Version Not Supported"
    506 VARIANT_ALSO_VARIES "Variant Also Negotiates"
    507 INSUFFICIENT_STORAGE "Insufficient Storage"
    508 LOOP_DETECTED "Loop Detected"
    510 NOT_EXTENDED "Not Extended"
    511 NETWORK_AUTHENTICATION_REQUIRED "Network Authentication Required"
}

impl Status {
    /// What follows the version in the status line; a code Apache does not know becomes
    /// `500 Internal Server Error`, as it does there.
    pub fn line(self) -> &'static str {
        self.known_line().unwrap_or("500 Internal Server Error")
    }

    /// The reason phrase of `line`.
    pub fn reason(self) -> &'static str {
        self.line().get(4..).unwrap_or_default()
    }

    /// 100 to 599, the codes Apache takes from a program without complaint.
    pub fn is_valid(self) -> bool {
        (100..600).contains(&self.0)
    }

    /// 1xx.
    pub fn is_info(self) -> bool {
        self.0 / 100 == 1
    }

    /// 2xx.
    pub fn is_success(self) -> bool {
        self.0 / 100 == 2
    }

    /// 3xx.
    pub fn is_redirect(self) -> bool {
        self.0 / 100 == 3
    }

    /// 4xx.
    pub fn is_client_error(self) -> bool {
        self.0 / 100 == 4
    }

    /// 5xx.
    pub fn is_server_error(self) -> bool {
        self.0 / 100 == 5
    }

    /// 4xx and above.
    pub fn is_error(self) -> bool {
        self.0 >= 400
    }

    /// 204 and 304: a response that ends with its head.
    pub fn is_header_only(self) -> bool {
        matches!(self.0, 204 | 304)
    }

    /// After such a status Apache does not trust the rest of the connection (`ap_status_drops_connection`).
    pub fn drops_connection(self) -> bool {
        matches!(self.0, 400 | 408 | 411 | 413 | 414 | 500 | 501 | 503)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Status({})", self.0)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_as_apache_sends_them() {
        assert_eq!(Status(414).line(), "414 Request-URI Too Long");
        assert_eq!(Status(504).line(), "504 Gateway Timeout");
        assert_eq!(Status(418).line(), "500 Internal Server Error");
        assert_eq!(Status::NOT_FOUND.reason(), "Not Found");
    }

    #[test]
    fn names_and_numbers_agree() {
        for status in ALL {
            assert!(status.line().starts_with(&format!("{status} ")), "{status:?}");
        }
    }
}
