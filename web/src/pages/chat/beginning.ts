import { api, idempotencyKey, versioned } from '../../api/client';
import { isMarkedDeleted } from './deletions';

/** The conversation that begins on a page, made when its first message goes. When that message is refused it goes again, so that no empty conversation is left; one whose message may have arrived stays, and the next try goes into it. */
export class Beginning {
  #key = idempotencyKey();
  #team: string | undefined;
  #id: string | undefined;
  #made: Promise<string | undefined> | null = null;

  /** Its id. Asked for again after a failure it is the same request, of which the answer may have been lost. */
  conversation(team: string | undefined): Promise<string | undefined> {
    if (this.#id !== undefined && isMarkedDeleted(this.#id)) this.forget();
    if (this.#made === null && this.#team !== team) {
      this.#key = idempotencyKey(); // another body is another request
      this.#team = team;
    }
    return this.#made ??= this.#make();
  }

  /** It is not there any more. */
  forget(): void {
    this.#key = idempotencyKey();
    this.#id = undefined;
    this.#made = null;
  }

  /** Its message was refused. The next one gets another, unless this one stays: somebody has said something there meanwhile, or it could not be deleted, and is taken after all. */
  async takeBack(): Promise<void> {
    const id = this.#id;
    if (id === undefined) return;
    this.forget();
    const params = { path: { id } };
    try {
      const { value, etag } = await versioned(api.GET('/api/v1/conversations/{id}', { params }));
      if (value.current_leaf) return;
      await api.DELETE('/api/v1/conversations/{id}', { params, headers: { 'If-Match': etag } });
    } catch {
      // What is told is the refusal of the message.
      if (this.#made === null) {
        this.#id = id;
        this.#made = Promise.resolve(id);
      }
    }
  }

  async #make(): Promise<string | undefined> {
    try {
      const { data } = await api.POST('/api/v1/conversations', { body: this.#team ? { team: this.#team } : {}, headers: { 'Idempotency-Key': this.#key } });
      this.#id = data?.id;
      return this.#id;
    } catch (error) {
      this.#made = null;
      throw error;
    }
  }
}
