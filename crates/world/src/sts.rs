//! The Security Token Service, as far as it tells who asks.

use http::{HeaderValue, Request, Response, header};
use reprise_model::ids::AccountId;

use crate::aws_auth::signer;

/// Whether a request is meant for it.
pub(crate) fn is_for_sts(request: &Request<Vec<u8>>) -> bool {
    signer(request).is_ok_and(|signer| signer.service == "sts")
}

/// GetCallerIdentity, whatever is asked: everybody is the account's user of the access key.
pub(crate) fn identity(account: &AccountId, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
    let key = signer(request).map(|signer| signer.access_key);
    let key = key.unwrap_or_default();
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>arn:aws:iam::{account}:user/{key}</Arn><UserId>{key}</UserId><Account>{account}</Account>\
         </GetCallerIdentityResult><ResponseMetadata><RequestId>of-the-world</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>"
    );
    let mut response = Response::new(body.into_bytes());
    let xml = HeaderValue::from_static("text/xml");
    response.headers_mut().insert(header::CONTENT_TYPE, xml);
    response
}
