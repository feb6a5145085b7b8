"""The words a day or a time may stand among and still be meant: requests, politeness, other days and times.

What people say around "friday" when they want friday is a small part of the language. Among other words ("my husband needs the car on
friday") the day may be no answer at all, so it is asked again.
"""

from __future__ import annotations

from antiphon.workflow.words import FILLERS


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


HARMLESS = FILLERS | _words("""
a an the this that these it it's that's is are be was will would could can may might should shall do does did have has had get got go
going
come coming came make makes made take takes see seeing seen look looks book booking booked schedule scheduled reserve put give set arrange
plan fit squeeze drop pop swing stop try pick choose prefer want wants wanted need needs needed wish hope like love suit suits suited work
works worked say said saying think thinking thought believe guess mean means meant find check know tell ask hear let let's lets start
begin
i i'd i'll i'm i've me my mine we we'd we'll we're us our you you'd you'll you're your yours he she they it'll there there's here
appointment appointments visit slot slots opening openings place spot time times hour hours day days date morning mornings afternoon
afternoons evening evenings night tonight noon midday lunch lunchtime week today tomorrow doctor dentist nurse clinic office reception
monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september october november
december
on at in for of to by with from around about approximately roughly near towards up down off out over then now soon next first early
earlier
late
later best better good great fine perfect ideal okay nice lovely wonderful super convenient possible available free okay alright
right
easier easy preferable preferably ideally probably possibly maybe perhaps definitely certainly actually really just only even still again
also too as well if when whenever where what which how who why whether any anything something thing some sometime anytime one
ones either same
yes no yeah yep sure please thanks thank sorry hello hi hey sir madam ma'am oh um uh so and or but because since not
pm am p m o'clock clock o half quarter past minutes minute sharp exactly ish latest earliest instead rather change changed move moved
switch
correction wait hold moment second third fourth fifth last year much very quite long more most all whole other another else everything
son daughter wife husband mother father child kid kids family friend checkup cleaning
son's got tooth teeth back eye eyes exam examination consultation meeting call school work after before lunch birthday's
able happy fits sound sounds manage managed happen happens into onto through him her them my's possible's today's tomorrow's myself
'd 's be been being become using use let me know it's i'd say let's say
name's name is phone number ready
""")  # fmt: skip
