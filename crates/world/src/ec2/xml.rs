//! A writer for the few shapes of EC2's answers; every text is escaped.

use jiff::Timestamp;
use quick_xml::escape::escape;

/// XML text under construction.
#[derive(Debug, Clone, Default)]
pub(super) struct Xml {
    text: String,
}

impl Xml {
    /// `<name>value</name>`.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.within(name, |xml| xml.text.push_str(&escape(value)));
    }

    /// The same, when there is a value.
    pub(super) fn maybe(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// An element around others.
    pub(super) fn within(&mut self, name: &str, inner: impl FnOnce(&mut Self)) {
        self.text.push_str(&format!("<{name}>"));
        inner(self);
        self.text.push_str(&format!("</{name}>"));
    }

    /// A list as EC2 writes it: one `item` each.
    pub(super) fn items<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) {
        self.within(name, |xml| {
            for item in items {
                xml.within("item", |xml| each(xml, item));
            }
        });
    }

    /// The whole answer of an action.
    pub(super) fn into_answer(self, action: &str, request_id: &str) -> Vec<u8> {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
             <requestId>{request_id}</requestId>{}</{action}Response>",
            self.text
        )
        .into_bytes()
    }

    /// The whole answer of a refusal.
    pub(super) fn refusal(code: &str, message: &str, request_id: &str) -> Vec<u8> {
        let mut xml = Self::default();
        xml.within("Response", |xml| {
            xml.within("Errors", |xml| {
                xml.within("Error", |xml| {
                    xml.text("Code", code);
                    xml.text("Message", message);
                });
            });
            xml.text("RequestID", request_id);
        });
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", xml.text).into_bytes()
    }
}

/// A time as EC2 writes it.
pub(super) fn millis(at: Timestamp) -> String {
    format!("{at:.3}")
}
