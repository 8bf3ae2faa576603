filedesc://old-crawl.arc 0.0.0.0 20080430204825 text/plain 68
1 0 By hand
URL IP-address Archive-date Content-type Archive-length

http://osterby.example/news/mill wheel.html 192.0.2.7 20080430204826 text/html 434
HTTP/1.1 200 OK
Content-Type: text/html

<html><head><title>Mill wheel turns again at Osterby</title></head><body><h1>Mill wheel turns again at Osterby</h1><p>After eleven years of repairs the wheel of the old mill at Osterby was set in motion again on Sunday, in front of several hundred visitors.</p><p>The trust that owns the mill hopes to grind flour from the spring, and to sell it in a shop beside the race.</p></body></html>
