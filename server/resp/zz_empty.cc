// server/resp
