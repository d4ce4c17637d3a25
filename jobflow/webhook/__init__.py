"""Admission: what is wrong is refused at the door, with the fix in the message.

verdict        what an answer can be
wire           AdmissionReview: the question as it travels, and the answer
reviews        the rules: question and facts -> verdict. Pure
flows          what is wrong with a JobFlow by itself, in our words and in Volcano's
frozen         which frozen field an update changes
templates      a flow against the templates it names; a template by itself
cautions       what is allowed and probably meant otherwise
deletions      what may be deleted now
known          which templates there are, and which flows need them
access         whether the requester could do what the flow will do
reviewer       gathers the facts that a question needs
authority      certificates; rotation says when which is due
keeper         keeps them in a Secret, and their CA in the webhook's own configuration
shown          the certificate that is shown, exchanged without a refused request
server         HTTPS: limits, and a clear 4xx for whatever is no question
service        all of them, started and stopped
"""
